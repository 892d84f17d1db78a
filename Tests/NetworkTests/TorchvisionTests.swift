import Foundation
import Tessera
import TesseraKernels
import TesseraNetworks
import Testing

/// Sweeps are cut short where the environment asks for it: under sanitizers everything takes ten times as long.
private let isShort = ProcessInfo.processInfo.environment["TESSERA_TESTS"] == "short"

/// What torchvision's network of the same name computes, all widths divided, from parameters, images and labels by
/// formulas (Tests/Fixtures/make-network-fixtures.py).
struct NetworkFixture: Decodable, Sendable, CustomStringConvertible {
  /// A tensor by its norm and its product with a vector that a formula gives.
  struct Projection: Decodable, Sendable {
    /// PyTorch's.
    let shape: [Int]
    let norm: Double
    let projection: Double
  }

  let name: String
  let divisor: Int
  let batch: Int
  let size: Int
  let classes: Int
  /// Of the first rows, in inference.
  let logits: [Double]
  /// Of a step of training.
  let loss: Double
  let gradients: [String: Projection]
  /// After the step.
  let statistics: [String: Projection]

  var description: String { name }

  static let all = Result {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/torchvision.json")
    return try JSONDecoder().decode([NetworkFixture].self, from: Data(contentsOf: url))
  }

  var inputShape: Shape { [size, size, 3] }

  /// The network with these widths and without dropout, whose masks aren't PyTorch's.
  func model() throws -> Sequential {
    switch name {
    case "resnet18":
      ResNet(blocks: [2, 2, 2, 2], isBottleneck: false, width: 64 / divisor)
        .model(classes: classes, inputShape: inputShape)
    case "resnet50":
      ResNet(blocks: [3, 4, 6, 3], isBottleneck: true, width: 64 / divisor)
        .model(classes: classes, inputShape: inputShape)
    case "mobilenet_v2": MobileNetV2(divisor: divisor, dropout: 0).model(classes: classes, inputShape: inputShape)
    case "densenet121": DenseNet121(growth: 32 / divisor).model(classes: classes, inputShape: inputShape)
    case "squeezenet1_0":
      SqueezeNet(.v1_0, divisor: divisor, dropout: 0).model(classes: classes, inputShape: inputShape)
    case "squeezenet1_1":
      SqueezeNet(.v1_1, divisor: divisor, dropout: 0).model(classes: classes, inputShape: inputShape)
    case "alexnet": AlexNet(divisor: divisor, dropout: 0).model(classes: classes, inputShape: inputShape)
    case "vgg16": VGG16(divisor: divisor, dropout: 0).model(classes: classes, inputShape: inputShape)
    case "unet": UNet(width: 4).model(classes: classes, inputShape: inputShape)
    default: throw UnknownName(name: name)
    }
  }
}

/// A fixture names something that these tests don't know.
struct UnknownName: Error {
  let name: String
}

/// Numbers in [-1, 1) that the fixtures' script makes, too: the mixed counter (the finalizer of MurmurHash3).
func uniform(_ count: Int, stream: Int) -> [Double] {
  (0..<count).map { index in
    var x = UInt32(truncatingIfNeeded: index) &* 0x9E37_79B9 &+ UInt32(truncatingIfNeeded: stream) &* 0x85EB_CA6B &+ 1
    x ^= x >> 16
    x = x &* 0x85EB_CA6B
    x ^= x >> 13
    x = x &* 0xC2B2_AE35
    x ^= x >> 16
    return Double(x >> 8) / 0x1p23 - 1
  }
}

@Suite struct TorchvisionTests {
  static let fixtures = (try? NetworkFixture.all.get()) ?? []
  /// The reference in double precision, and each instruction set.
  static let instructionSets: [InstructionSet?] = [nil] + (isShort ? [] : KernelCatalogue.supported)

  @Test func fixturesCanBeRead() throws { #expect(try NetworkFixture.all.get().count == 9) }

  /// The same names and shapes, so that torchvision's weights load as they are.
  @Test(arguments: fixtures) func namesAndShapesAreTorchvisions(_ fixture: NetworkFixture) throws {
    let expected = fixture.gradients.merging(fixture.statistics) { first, _ in first }.mapValues(\.shape)
    #expect(try fixture.model().torchLayouts().mapValues(\.shape.dimensions) == expected)
  }

  @Test(arguments: fixtures, instructionSets)
  func agreesWithTorchvision(_ fixture: NetworkFixture, _ instructionSet: InstructionSet?) throws {
    let element: ElementType = instructionSet == nil ? .float64 : .float32
    let options: Program.Options =
      instructionSet.map { .init(instructionSet: $0) } ?? .init(usesReferenceKernels: true)
    // Of the largest of what is compared. float64 is the sharp test. In float32 a number beside 0 takes the other side of a
    // ReLU: PyTorch's own gradients of this densenet121 in float32 differ from those in float64 by 0.4 % of their norm.
    let tolerance = element == .float64 ? 1e-9 : 1e-2
    let model = try fixture.model()
    let problem = try FixtureProblem(fixture, model, element)

    var inference = try model.graph(batch: fixture.batch, element: element)
    let softmax = try #require(inference.nodes.last { $0.operation is SoftmaxOperation })
    try inference.addOutput("logits", softmax.inputs[0])
    let store = ParameterStore()
    let session = try Session(Program(inference, options: options), store: store, workers: 2)
    try store.set(problem.parameters)
    let logits = try doubles(session.run(["input": problem.input])["logits"])
    let largest = fixture.logits.map(abs).max() ?? 0
    for (index, expected) in fixture.logits.enumerated() {
      #expect(abs(logits[index] - expected) <= tolerance * largest, "\(fixture) logit \(index)")
    }

    let training = try TrainingGraph.build(
      model: model, batch: fixture.batch, loss: .softmaxCrossEntropy(), optimizer: .sgd(momentum: 0.5),
      element: element)
    let trainer = try Session(Program(training, options: options), store: store, workers: 2)
    let loss = try doubles(trainer.run(problem.trainingInputs)["loss"])
    #expect(abs(try #require(loss.first) - fixture.loss) <= tolerance * fixture.loss)
    // The first velocity is the gradient.
    let greatest = fixture.gradients.values.map(\.norm).max() ?? 0
    for (name, expected) in fixture.gradients {
      try problem.expect(
        store["\(name).velocity"], name, expected, tolerance * max(expected.norm, 1e-3 * greatest),
        "gradient of \(name)")
    }
    for (name, expected) in fixture.statistics {
      try problem.expect(store[name], name, expected, tolerance * expected.norm, name)
    }
  }

  @Test(arguments: isShort ? Array(fixtures.prefix(1)) : fixtures) func bitsDontDependOnTheWorkers(
    _ fixture: NetworkFixture
  ) throws {
    let model = try fixture.model()
    let problem = try FixtureProblem(fixture, model, .float32)
    let training = try Program(
      TrainingGraph.build(
        model: model, batch: fixture.batch, loss: .softmaxCrossEntropy(), optimizer: .sgd(momentum: 0.5)))
    let inference = try Program(model.graph(batch: fixture.batch))
    let results = try (isShort ? [1, 3] : [1, 2, 3, 8]).map { workers in
      let store = ParameterStore()
      let session = try Session(training, store: store, workers: workers)
      try store.set(problem.parameters)
      for _ in 0..<2 { _ = try session.run(problem.trainingInputs) }
      let output = try Session(inference, store: store, workers: workers).run(["input": problem.input])
      return try store.snapshot().merging(output) { first, _ in first }.filter { $0.value.type.element == .float32 }
        .mapValues { try $0.elements(as: Float.self).map(\.bitPattern) }
    }
    for result in results { #expect(result == results[0]) }
  }
}

/// The operands of a fixture, in Tessera's layouts.
private struct FixtureProblem {
  let parameters: [String: Tensor]
  let input: Tensor
  let trainingInputs: [String: Tensor]
  private let layouts: [String: TorchLayout]
  /// Which formula a parameter has.
  private let streams: [String: Int]

  init(_ fixture: NetworkFixture, _ model: Sequential, _ element: ElementType) throws {
    layouts = try model.torchLayouts()
    streams = Dictionary(uniqueKeysWithValues: layouts.keys.sorted().enumerated().map { ($1, $0 + 1) })
    var parameters: [String: Tensor] = [:]
    for (name, layout) in layouts {
      let u = uniform(layout.shape.count, stream: streams[name] ?? 0)
      let shape = layout.shape
      let values: [Double]
      if shape.rank > 1 {
        let bound = (6 / Double(shape.count / shape[0])).squareRoot()
        values = u.map { bound * $0 }
      } else if name.hasSuffix("running_var") {
        values = u.map { 1 + 0.5 * $0 }
      } else {
        values = name.hasSuffix("weight") ? u.map { 1 + 0.3 * $0 } : u.map { 0.1 * $0 }
      }
      parameters[name] = try tensor(try layout.reordered(values), TensorType(layout.storedShape, element))
    }
    self.parameters = parameters
    let image = TensorType(Shape([fixture.batch] + fixture.inputShape.dimensions), element)
    input = try tensor(uniform(image.shape.count, stream: 0).map { 2 * $0 }, image)
    let graph = try model.graph(batch: fixture.batch)
    let output = graph.shape(of: try #require(graph.outputs.first).value)
    let rows = Shape(Array(output.dimensions.dropLast()))
    let labels = (0..<rows.count).map { Int32((5 * $0 + $0 / 3) % fixture.classes) }
    trainingInputs = try [
      "input": input, "target": Tensor(labels, shape: rows), "learning_rate": Tensor([0.0625 as Float], shape: .scalar),
    ]
  }

  /// Compares norm and projection; the errors of single elements are as good as independent of the vector.
  func expect(
    _ found: Tensor?, _ parameter: String, _ expected: NetworkFixture.Projection, _ tolerance: Double, _ what: String
  ) throws {
    let values = try doubles(found)
    let vector = try #require(layouts[parameter])
      .reordered(uniform(values.count, stream: 10_000 + (streams[parameter] ?? 0)))
    let projection = zip(values, vector).reduce(0) { $0 + $1.0 * $1.1 }
    let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(
      abs(projection - expected.projection) <= tolerance,
      "\(what): projection off by \(abs(projection - expected.projection) / expected.norm) of the norm")
    #expect(abs(norm - expected.norm) <= tolerance, "\(what): norm \(norm), expected \(expected.norm)")
  }
}

private func tensor(_ values: [Double], _ type: TensorType) throws -> Tensor {
  // The fixtures' parameters are numbers that float32 can hold.
  let floats = values.map(Float.init)
  return type.element == .float64
    ? try Tensor(floats.map(Double.init), shape: type.shape) : try Tensor(floats, shape: type.shape)
}

private func doubles(_ tensor: Tensor?) throws -> [Double] {
  let tensor = try #require(tensor)
  return tensor.type.element == .float64
    ? try tensor.elements(as: Double.self) : try tensor.elements(as: Float.self).map(Double.init)
}
