import Foundation
import Tessera
import TesseraNetworks
import TesseraONNX
import Testing

@Suite struct ExportTests {
  /// What the networks don't hold.
  private static let layers = Sequential(inputShape: [9, 8, 3]) {
    Conv2D(6, kernelSize: 3, padding: .half)
    BatchNorm2D()
    LeakyReLU(slope: 0.1)
    MaxPool2D(2)
    Conv2D(6, kernelSize: 3, dilation: 2, groups: 3, padding: .half, activation: .relu6)
    ConvTranspose2D(4, kernelSize: 3, stride: 2, outputPadding: 1, activation: .tanh)
    AveragePool2D(2)
    Flatten()
    Dense(5, activation: .sigmoid)
  }

  @Test func layersComeBack() throws { try expectRoundTrip(Self.layers, inputShape: [9, 8, 3]) }

  @Test(arguments: ["digits_cnn", "lenet5", "unet", "cifar_cnn"])
  func whatIsExportedComesBack(_ name: String) throws {
    let network = try NetworkCatalogue.network(named: name)
    try expectRoundTrip(network.model, inputShape: network.inputShape)
  }

  private func expectRoundTrip(_ model: Sequential, inputShape: Shape) throws {
    let graph = try model.graph(batch: 2)
    let session = try Session(Program(graph), store: ParameterStore(seed: 3), workers: 1)
    let bytes = try ONNXExport.data(graph, parameters: session.store.snapshot())
    let input = try images([2] + inputShape.dimensions)
    let expected = try #require(try session.run(["input": input])["output"])

    let imported = try ONNXModel(bytes: bytes).imported(ImportOptions(layout: .channelsLast))
    let found = try #require(try imported.session(workers: 1).run(["input": input])["output"])
    #expect(found.type == expected.type)
    #expect(try found.elements(as: Float.self) == expected.elements(as: Float.self))
    // Nothing moves between nodes; with the model's own order the input and an output of images do, if they have
    // more than one channel.
    #expect(!imported.graph.nodes.contains { $0.operation is Transpose })
    let stated = try ONNXModel(bytes: bytes).imported()
    let moved = [input.shape, expected.shape].count { $0.rank == 4 && $0[3] > 1 }
    #expect(stated.graph.nodes.count { $0.operation is Transpose } == moved)
    // Exported again, it is the same model to the bit.
    let again = try ONNXExport.data(imported.graph, parameters: imported.parameters)
    let twice = try ONNXModel(bytes: again).imported(ImportOptions(layout: .channelsLast))
    let same = try #require(try twice.session(workers: 1).run(["input": input])["output"])
    #expect(try same.elements(as: Float.self) == expected.elements(as: Float.self))
  }

  /// Trained as a layer, an exported model learns as the network that it came from.
  @Test func anImportedModelTrainsAsItsOriginal() throws {
    let original = Sequential(inputShape: [6, 6, 2]) {
      Conv2D(5, kernelSize: 3, padding: .half, name: "conv")
      BatchNorm2D(name: "norm")
      MaxPool2D(2)
      Flatten()
      Dense(3, name: "head")
    }
    let store = ParameterStore(seed: 5)
    let graph = try original.graph(batch: 4)
    try store.add(graph)
    let layer = try ONNXLayer(ONNXModel(bytes: ONNXExport.data(graph, parameters: store.snapshot())))
    let copy = ParameterStore(seed: 5)
    func trainer(_ model: some Layer, _ store: ParameterStore) throws -> Trainer {
      try Trainer(
        model: model, inputShape: [6, 6, 2], batch: 4, loss: .softmaxCrossEntropy(), optimizer: .sgd(momentum: 0.9),
        store: store, workers: 1)
    }
    let (first, second) = (try trainer(original, store), try trainer(layer, copy))
    try copy.set(layer.parameters())
    let (input, labels) = (try images([4, 6, 6, 2]), try Tensor([0, 1, 2, 1] as [Int32], shape: [4]))
    var losses: [Float] = []
    for _ in 0..<8 {
      let expected = try first.step(input, labels, learningRate: 0.05).loss
      let found = try second.step(input, labels, learningRate: 0.05).loss
      #expect(abs(found - expected) <= 1e-5 * abs(expected))
      losses.append(found)
    }
    #expect(losses[7] < losses[0])
    let statistics = try #require(copy["norm.running_var"])
    let expected = try #require(store["norm.running_var"])
    for (a, b) in zip(try statistics.elements(as: Float.self), try expected.elements(as: Float.self)) {
      #expect(abs(a - b) <= 1e-5 * abs(b))
    }
  }

  @Test func whatCantBeExportedIsOneError() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([2, 3]))
    let mask = try graph.addInput("labels", TensorType([2], .int32))
    let results = try graph.add(SoftmaxCrossEntropy(reduction: .mean), [x, mask], name: "loss")
    try graph.addOutput("loss", results[0])
    let error = #expect(throws: TesseraError.self) { try ONNXExport.data(graph, parameters: [:]) }
    #expect(error?.code == .unsupported)
    #expect(error?.found.contains("softmax_cross_entropy in loss") == true)
  }

  private func images(_ shape: [Int]) throws -> Tensor {
    var random = SplitMix64(state: 1)
    let shape = Shape(shape)
    return try Tensor((0..<shape.count).map { _ in random.float() }, shape: shape)
  }
}
