import TesseraGraph
import Testing

@Suite struct EliminateDeadNodesTests {
  @Test func whatNothingNeedsGoes() throws {
    var graph = Graph()
    let type = TensorType([3])
    let x = try graph.addInput("x", type)
    let w = try graph.addVariable(Variable(name: "w", type: type))
    let kept = try graph.apply(Add(), x, w, name: "kept")
    let dead = try graph.apply(Multiply(), x, w, name: "dead")
    _ = try graph.apply(Subtract(), dead, x, name: "dead too")
    _ = try graph.add(Opaque(outputCount: 0), [x], name: "without result")
    let updated = try graph.apply(Affine(factor: 2), w, name: "updated")
    let checked = try graph.apply(SumAll(), x, name: "checked")
    let pair = try graph.add(Opaque(outputCount: 2), [x], name: "pair")
    try graph.addOutput("y", kept)
    try graph.addOutput("second", pair[1])
    try graph.addUpdate(of: w, to: updated)
    try graph.requireFinite(checked)

    let result = try EliminateDeadNodes().run(graph)
    #expect(result.nodes.map(\.name) == ["kept", "updated", "checked", "pair"])
    #expect(result.inputs.map(\.name) == ["x"])
    #expect(result.variables.map(\.variable.name) == ["w"])
    #expect(result.outputs.map { result.name(of: $0.value) } == ["kept", "pair:1"])
    #expect(result.updates.map { result.name(of: $0.value) } == ["updated"])
    #expect(result.finiteChecks.map { result.name(of: $0) } == ["checked"])
    // Nothing is left to drop.
    #expect(try EliminateDeadNodes().run(result).nodes.count == 4)
  }

  /// Inputs and variables are the signature and stay.
  @Test func anEmptyProgramKeepsItsSignature() throws {
    let model = Sequential([Dense(3), ReLU()])
    var graph = try model.graph(batch: 1, inputShape: [4])
    graph = try EliminateDeadNodes().run(graph)
    #expect(graph.nodes.count == 2)
    var unread = Graph()
    let x = try unread.addInput("x", TensorType([2]))
    _ = try unread.apply(SumAll(), x, name: "sum")
    let result = try EliminateDeadNodes().run(unread)
    #expect(result.nodes.isEmpty && result.inputs.map(\.name) == ["x"])
  }
}

@Suite struct FuseActivationsTests {
  private func fused(_ layer: some Layer, _ example: Shape, mode: ModelMode = .inference) throws -> [Node] {
    try FuseActivations().run(layer.graph(batch: 2, mode: mode, inputShape: example)).nodes
  }

  @Test func intoConvolutionsAndProducts() throws {
    let convolution = try fused(Conv2D(2, kernelSize: 3, activation: .relu), [5, 5, 1])
    #expect(convolution.count == 1)
    #expect((convolution.first?.operation as? Convolution2D)?.activation == .relu)
    let clipped = try fused(Sequential([Conv2D(2, kernelSize: 3), ReLU6()]), [5, 5, 1])
    #expect(clipped.count == 1)
    #expect((clipped.first?.operation as? Convolution2D)?.activation == .clip(lower: 0, upper: 6))
    let transposed = try fused(ConvTranspose2D(2, kernelSize: 3, activation: .tanh), [5, 5, 1])
    #expect(transposed.count == 1)
    #expect((transposed.first?.operation as? ConvolutionBackwardData)?.activation == .tanh)
    let product = try fused(Dense(2, activation: .leakyRelu(slope: 0.5)), [3])
    #expect(product.count == 1)
    #expect((product.first?.operation as? MatrixProduct)?.activation == .leakyRelu(slope: 0.5))
    #expect(try fused(Sequential([Dense(2), Sigmoid(), Dense(2), ReLU()]), [3]).count == 2)
  }

  /// What else the operation is stays as it was.
  @Test func attributesStay() throws {
    let layer = Conv2D(4, kernelSize: 3, stride: 2, dilation: 2, groups: 2, padding: .explicit(3), activation: .relu)
    let graph = try layer.graph(batch: 2, inputShape: [9, 9, 2])
    let before = try #require(graph.nodes.first?.operation as? Convolution2D)
    let result = try FuseActivations().run(graph)
    #expect(
      result.nodes.first?.operation as? Convolution2D
        == Convolution2D(window: before.window, groups: 2, activation: .relu))
    #expect(result.nodes.first?.name == "conv2d")
    #expect(result.outputs.map { result.type(of: $0.value) } == graph.outputs.map { graph.type(of: $0.value) })
  }

  @Test func onlyTheFirstOfTwo() throws {
    let nodes = try fused(Sequential([Dense(2), ReLU(), Tanh()]), [3])
    #expect(nodes.count == 2)
    #expect((nodes.first?.operation as? MatrixProduct)?.activation == .relu)
    #expect((nodes.last?.operation as? Activate)?.function == .tanh)
    // A second run finds the product taken.
    let graph = try Sequential([Dense(2), ReLU(), Tanh()]).graph(batch: 2, inputShape: [3])
    #expect(try FuseActivations().run(FuseActivations().run(graph)).nodes.count == 2)
  }

  @Test func notIntoOthers() throws {
    #expect(try fused(Sequential([MaxPool2D(2), ReLU()]), [4, 4, 1]).count == 2)
    #expect(try fused(Sequential([Dense(2), Softmax()]), [3]).count == 2)
    #expect(try fused(Sequential([BatchNorm2D(), ReLU()]), [3], mode: .training).count == 4)
  }

  /// Whoever else reads what stands between still finds it.
  @Test func notWhatOthersRead() throws {
    for reader in ["output", "node", "check", "update"] {
      var graph = Graph()
      let type = TensorType([2, 2])
      let x = try graph.addInput("x", type)
      let w = try graph.addVariable(Variable(name: "w", type: type))
      let product = try graph.apply(MatrixProduct(), x, w, name: "product")
      let y = try graph.apply(Activate(function: .relu), product, name: "relu")
      try graph.addOutput("y", y)
      #expect(try FuseActivations().run(graph).nodes.count == 1)
      switch reader {
      case "output": try graph.addOutput("between", product)
      case "node": try graph.addOutput("sum", try graph.apply(SumAll(), product, name: "sum"))
      case "check": try graph.requireFinite(product)
      default: try graph.addUpdate(of: w, to: product)
      }
      let result = try FuseActivations().run(graph)
      #expect(result.nodes.count == graph.nodes.count, "\(reader)")
      #expect((result.nodes.first?.operation as? MatrixProduct)?.activation == .identity)
    }
  }

  /// Gradients need an activation's result only, so training graphs fuse alike.
  @Test func trainingGraphs() throws {
    let model = Sequential {
      Conv2D(2, kernelSize: 3, activation: .relu)
      Flatten()
      Dense(3, activation: .sigmoid)
    }
    let graph = try TrainingGraph.build(
      model: model, inputShape: [5, 5, 1], batch: 2, loss: .meanSquaredError(), optimizer: .sgd())
    let result = try Simplification.run(graph)
    #expect(graph.nodes.filter { $0.operation is Activate }.count == 2)
    #expect(result.nodes.filter { $0.operation is Activate }.isEmpty)
    #expect(result.nodes.filter { $0.operation is ActivationGradient }.count == 2)
    #expect(result.updates.count == graph.updates.count)
  }

  @Test func nodesWithoutResultsPassThrough() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([2]))
    _ = try graph.add(Opaque(outputCount: 0), [x], name: "without result")
    #expect(try FuseActivations().run(graph).nodes.count == 1)
  }
}
