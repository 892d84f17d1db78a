import Foundation
import Tessera
import TesseraKernels
import TesseraNetworks
import Testing

/// Ten training steps of a network as PyTorch makes them, from the same weights, on batches by formulas
/// (Tests/Fixtures/make-training-fixtures.py).
struct TrainingStepsFixture: Decodable, Sendable, CustomStringConvertible {
  let name: String
  let divisor: Int
  let batch: Int
  let shape: [Int]
  let classes: Int
  /// What weights of dense layers are multiplied by.
  let head: Double
  /// Before each step's update.
  let losses: [Double]

  var description: String { name }

  static let all = Result {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/training-steps.json")
    return try JSONDecoder().decode([TrainingStepsFixture].self, from: Data(contentsOf: url))
  }

  func model() throws -> Sequential {
    switch name {
    case "mnist_cnn":
      Sequential(inputShape: Shape(shape)) {
        Conv2D(64, kernelSize: 3, activation: .relu)
        MaxPool2D(2)
        Conv2D(32, kernelSize: 3, activation: .relu)
        MaxPool2D(2)
        Flatten()
        Dense(10, activation: .softmax)
      }
    case "cifar_vgg":
      Sequential(inputShape: Shape(shape)) {
        for filters in [64, 128, 256] {
          Conv2D(filters, kernelSize: 3, padding: .half, activation: .relu)
          Conv2D(filters, kernelSize: 3, padding: .half, activation: .relu)
          MaxPool2D(2)
        }
        Flatten()
        Dense(256, activation: .relu)
        Dense(10, activation: .softmax)
      }
    default: try narrowNetwork(name, divisor: divisor, classes: classes, inputShape: Shape(shape))
    }
  }
}

@Suite struct TrainingStepTests {
  static let fixtures = (try? TrainingStepsFixture.all.get()) ?? []

  @Test func fixturesCanBeRead() throws { #expect(try TrainingStepsFixture.all.get().count == 9) }

  /// Direct sums in single precision stay within a thousandth of PyTorch's losses in double precision, over ten steps.
  @Test(arguments: fixtures) func lossesAreWithinAThousandthOfPyTorchs(_ fixture: TrainingStepsFixture) throws {
    let model = try fixture.model()
    let store = ParameterStore()
    let trainer = try Trainer(
      model: model, batch: fixture.batch, loss: .softmaxCrossEntropy(), optimizer: .sgd(momentum: 0.9), store: store,
      options: .init(numerics: .exact), workers: 2)
    let layouts = try model.torchLayouts()
    var parameters: [String: Tensor] = [:]
    for (index, name) in layouts.keys.sorted().enumerated() {
      let layout = try #require(layouts[name])
      let head = layout.shape.rank == 2 ? fixture.head : 1
      let values = initialValues(name, layout.shape, stream: index + 1).map { Float(head * $0) }
      parameters[name] = try Tensor(layout.reordered(values), shape: layout.storedShape)
    }
    try store.set(parameters)
    let input = Shape([fixture.batch] + fixture.shape)
    let target = try #require(trainer.session.program.inputs.first { $0.name == "target" }).type.shape
    for (step, expected) in fixture.losses.enumerated() {
      let images = uniform(input.count, stream: 20_000 + step).map { Float(2 * $0) }
      let labels = (0..<target.count).map { Int32((5 * $0 + $0 / 3 + step) % fixture.classes) }
      let loss = try trainer.step(
        Tensor(images, shape: input), Tensor(labels, shape: target), learningRate: 0.001
      ).loss
      #expect(abs(Double(loss) - expected) <= 1e-3 * expected, "\(fixture), step \(step): \(loss), PyTorch \(expected)")
    }
  }
}
