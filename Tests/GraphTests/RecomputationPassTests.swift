import TesseraGraph
import Testing

@Suite struct RecomputationPassTests {
  private func training(_ layers: [any Layer], _ shape: Shape = [32, 32, 3]) throws -> Graph {
    let graph = try TrainingGraph.build(
      model: Sequential(layers), inputShape: shape, batch: 8, loss: .softmaxCrossEntropy(), optimizer: .sgd())
    return try EliminateDeadNodes().run(graph)
  }

  private let block: [any Layer] = (0..<4).flatMap { index -> [any Layer] in
    [
      Conv2D(8, kernelSize: 3, padding: .half, name: "conv\(index)"), BatchNorm2D(name: "norm\(index)"),
      ReLU(name: "relu\(index)"),
    ]
  }

  private func names(_ graph: Graph) -> [String] { graph.nodes.map(\.name) }

  /// What is repeated stands behind the loss, before the first gradient that reads it, and is read by gradients only.
  @Test func normalizationsAreRepeated() throws {
    let graph = try training(block + [Flatten(), Dense(3, name: "dense")])
    let result = try Recomputation().run(graph)
    result.checkInvariants()
    let repeated = result.nodes.filter { $0.name.hasSuffix(".again") }
    // Of each block the normalization and the activation; the last is needed at once.
    #expect(Set(repeated.map { $0.name.prefix { $0 != "." } }).isSuperset(of: ["norm0", "relu0", "norm1", "relu1"]))
    #expect(repeated.allSatisfy { $0.operation is Normalize || $0.operation is Activate })
    let loss = try #require(names(result).firstIndex(of: "loss"))
    let first = try #require(result.nodes.firstIndex { $0.name.hasSuffix(".again") })
    #expect(first > loss)
    // Nothing else has changed.
    #expect(names(result).filter { !$0.hasSuffix(".again") } == names(graph))
    #expect(result.updates.count == graph.updates.count && result.outputs.map(\.name) == graph.outputs.map(\.name))
    for node in repeated {
      let position = try #require(result.nodes.firstIndex { $0.name == node.name })
      #expect(result.nodes[position...].contains { $0.inputs.contains(node.outputs[0]) })
    }
  }

  /// Where an activation is all that is kept, nothing is gained by another one; and inference keeps nothing.
  @Test func nothingIsRepeatedInVain() throws {
    let plain: [any Layer] = (0..<4).flatMap { index -> [any Layer] in
      [Conv2D(8, kernelSize: 3, padding: .half, name: "conv\(index)"), ReLU(name: "relu\(index)")]
    }
    let graph = try training(plain + [Flatten(), Dense(3)])
    #expect(try names(Recomputation().run(graph)) == names(graph))
    let inference = try Sequential(block, inputShape: [32, 32, 3]).graph(batch: 8)
    #expect(try names(Recomputation().run(inference)) == names(inference))
  }

  // MARK: Checkpoints

  /// The backward pass repeats the convolutions within, but not the last activation, which the next layer reads.
  @Test func checkpointsAreRepeated() throws {
    let graph = try training([
      Conv2D(4, kernelSize: 1, name: "first"), ActivationCheckpoint(block), Flatten(), Dense(3, name: "dense"),
    ])
    let repeated = names(graph).filter { $0.hasSuffix(".again") }
    #expect(
      repeated.contains("conv0.again") && repeated.contains("conv3.again")
        && repeated.contains("relu2.activation.again"))
    #expect(!repeated.contains("relu3.activation.again") && !repeated.contains("first.again"))
    // Statistics are taken once.
    #expect(graph.nodes.filter { $0.operation is BatchNormalization }.count == 4)
    let gradient = try #require(graph.nodes.first { $0.name == "conv1.dw" })
    #expect(graph.name(of: gradient.inputs[0]) == "relu0.activation.again")
  }

  @Test func checkpointsHoldNodesThatThereAre() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([2]))
    var y = x
    for index in 0..<6 { y = try graph.apply(Activate(function: .tanh), y, name: "\(index)") }
    try graph.addActivationCheckpoint(1..<3)
    // One around it takes its place.
    try graph.addActivationCheckpoint(0..<3)
    try graph.addActivationCheckpoint(3..<3)
    for range in [2..<5, 4..<7, -1..<0] {
      let error = #expect(throws: TesseraError.self) { try graph.addActivationCheckpoint(range) }
      #expect(error?.code == .invalidAttribute && error?.location == "checkpoint", "\(range)")
    }
  }
}
