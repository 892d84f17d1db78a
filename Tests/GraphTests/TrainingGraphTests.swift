import TesseraGraph
import Testing

@Suite struct TrainingGraphTests {
  private func build(
    _ layers: [any Layer], _ example: Shape = [8, 8, 1], loss: Loss = .softmaxCrossEntropy(),
    optimizer: Optimizer = .sgd()
  ) throws -> Graph {
    let graph = try TrainingGraph.build(
      model: Sequential(layers), inputShape: example, batch: 4, loss: loss, optimizer: optimizer)
    graph.checkInvariants()
    return graph
  }

  private let network: [any Layer] = [Conv2D(2, kernelSize: 3, activation: .relu), Flatten(), Dense(3)]

  private func updatedNames(_ graph: Graph) -> [String] {
    graph.updates.map { graph.variables[$0.variable].variable.name }.sorted()
  }

  @Test func signatureForLabels() throws {
    let graph = try build(network)
    #expect(graph.inputs.map(\.name) == ["input", "target", "learning_rate"])
    #expect(
      graph.inputs.map { graph.type(of: $0.value) } == [
        TensorType([4, 8, 8, 1]), TensorType([4], .int32), TensorType(.scalar),
      ])
    #expect(graph.outputs.map(\.name) == ["output", "loss"])
    #expect(graph.outputs.map { graph.shape(of: $0.value) } == [[4, 3], .scalar])
    // The output is the loss' probabilities.
    #expect(graph.outputs.map { graph.name(of: $0.value) } == ["loss:1", "loss"])
  }

  /// A class for each pixel: labels and probabilities keep the image's shape, the loss takes rows.
  @Test func signatureForLabelsOfPixels() throws {
    let graph = try build([Conv2D(3, kernelSize: 3, activation: .softmax)])
    #expect(graph.type(of: graph.inputs[1].value) == TensorType([4, 6, 6], .int32))
    #expect(graph.outputs.map { graph.shape(of: $0.value) } == [[4, 6, 6, 3], .scalar])
    let loss = try #require(graph.nodes.first { $0.operation is SoftmaxCrossEntropy })
    #expect(loss.inputs.map { graph.shape(of: $0) } == [[144, 3], [144]])
  }

  @Test func signatureForTargets() throws {
    let graph = try build([Dense(3)], [5], loss: .meanSquaredError(reduction: .sum))
    #expect(graph.inputs.map { graph.shape(of: $0.value) } == [[4, 5], [4, 3], .scalar])
    #expect(graph.outputs.map { graph.name(of: $0.value) } == ["dense", "loss"])
    #expect(try build([Dense(3)], [5], loss: .meanSquaredError()).nodes(endingIn: "loss").count == 1)
  }

  /// The loss takes what goes into a final softmax; the softmax itself is dead then.
  @Test func aFinalSoftmaxBecomesPartOfTheLoss() throws {
    for last in [[Dense(3, activation: .softmax)], [Dense(3), Softmax()]] as [[any Layer]] {
      let graph = try EliminateDeadNodes().run(build(last, [5]))
      #expect(graph.nodes.filter { $0.operation is SoftmaxOperation }.isEmpty)
      let loss = try #require(graph.nodes.first { $0.operation is SoftmaxCrossEntropy })
      #expect(graph.name(of: loss.inputs[0]) == "dense")
    }
  }

  @Test(
    arguments: [
      (.sgd(), []), (.sgd(momentum: 0.9), ["velocity"]), (.adam(), ["first_moment", "second_moment"]),
      (.adamW(), ["first_moment", "second_moment"]),
    ] as [(Optimizer, [String])])
  func updates(_ optimizer: Optimizer, _ states: [String]) throws {
    let graph = try build(network, optimizer: optimizer)
    let weights = ["conv2d.weight", "conv2d.bias", "dense.weight", "dense.bias"]
    #expect(updatedNames(graph) == (weights + weights.flatMap { w in states.map { "\(w).\($0)" } } + ["step"]).sorted())
    #expect(graph.variables.map(\.variable.name).sorted() == updatedNames(graph))
    for read in graph.variables {
      let role = read.variable.role
      let suffix = String(read.variable.name.split(separator: ".").last ?? "")
      #expect(role == (states.contains(suffix) ? .optimizerState : suffix == "step" ? .counter : .weight))
    }
    // Loss, learning rate and gradients must be finite.
    #expect(graph.finiteChecks.count == 2 + weights.count)
    #expect(graph.finiteChecks.contains { graph.name(of: $0) == "learning_rate" })
  }

  /// A frozen weight has neither gradient nor update, and nothing is computed for what lies before it.
  @Test func frozenWeightsCostNothing() throws {
    func graph(_ first: Bool, _ second: Bool) throws -> Graph {
      try build([
        Conv2D(2, kernelSize: 3, trainable: first), Conv2D(2, kernelSize: 3, trainable: second), Flatten(),
      ])
    }
    let (all, lastOnly, firstOnly) = (try graph(true, true), try graph(false, true), try graph(true, false))
    func names(_ graph: Graph, _ suffix: String) -> [String] { graph.nodes(endingIn: suffix).map(\.name) }
    #expect(names(all, ".dw") == ["conv2d_1.dw", "conv2d.dw"])
    #expect(names(all, ".db") == ["conv2d_1.db", "conv2d.db"])
    #expect(names(all, ".dx").filter { $0.hasPrefix("conv") } == ["conv2d_1.dx"])
    #expect(names(lastOnly, ".dw") == ["conv2d_1.dw"])
    #expect(names(lastOnly, ".db") == ["conv2d_1.db"])
    #expect(names(lastOnly, ".dx").filter { $0.hasPrefix("conv") } == [])
    #expect(names(firstOnly, ".dw") == ["conv2d.dw"])
    #expect(names(firstOnly, ".db") == ["conv2d.db"])
    #expect(names(firstOnly, ".dx").filter { $0.hasPrefix("conv") } == ["conv2d_1.dx"])
    #expect(updatedNames(lastOnly) == ["conv2d_1.bias", "conv2d_1.weight", "step"])
    expectError(.notFound, at: "loss", expected: "a trainable weight", found: "none of 0") {
      _ = try graph(false, false)
    }
  }

  /// So do the scale and shift of a normalization, and what lies before one.
  @Test func frozenNormalizationsCostNothing() throws {
    func gradients(_ layers: [any Layer]) throws -> [any Operation] {
      try build(layers + [Flatten(), Dense(3)]).nodes.filter { $0.name.hasPrefix("batch_norm2d.") }
        .map(\.operation)
    }
    let wholly = try gradients([Conv2D(2, kernelSize: 3), BatchNorm2D(frozen: true, trainable: false)])
    #expect(wholly.count == 1 && wholly.first is Normalize)
    let statistics = try gradients([Conv2D(2, kernelSize: 3), BatchNorm2D(frozen: true)])
    #expect((statistics.first as? NormalizeGradient)?.includesInput == true)
    let first = try gradients([BatchNorm2D()])
    #expect(first.compactMap { $0 as? BatchNormalizationGradient }.map(\.includesInput) == [false])
    let frozenFirst = try gradients([Conv2D(2, kernelSize: 3, trainable: false), BatchNorm2D(frozen: true)])
    #expect((frozenFirst.first as? NormalizeGradient)?.includesInput == false)
    #expect(try gradients([BatchNorm2D(frozen: true, trainable: false)]).isEmpty)
  }

  /// Each parameter group has a learning rate of its own, and may have a weight decay.
  @Test func parameterGroups() throws {
    let graph = try build(
      [Conv2D(2, kernelSize: 3, group: "body"), BatchNorm2D(group: "norm"), Flatten(), Dense(3)],
      optimizer: .sgd(weightDecay: 0.5, groups: ["norm": ParameterGroup(weightDecay: 0), "body": ParameterGroup()]))
    #expect(
      graph.inputs.map(\.name) == ["input", "target", "learning_rate.body", "learning_rate.norm", "learning_rate"])
    for (variable, rate, decay) in [
      ("conv2d.weight", "learning_rate.body", 0.5), ("batch_norm2d.bias", "learning_rate.norm", 0),
      ("dense.weight", "learning_rate", 0.5),
    ] {
      let update = try #require(graph.update(ofVariableNamed: variable).flatMap(graph.producer(of:)))
      #expect(graph.name(of: update.inputs[2]) == rate)
      #expect((update.operation as? SGDUpdate)?.weightDecay == decay)
    }
    #expect(TrainingGraph.learningRateName(group: "body") == "learning_rate.body")
    #expect(TrainingGraph.learningRateName(group: Variable.defaultGroup) == "learning_rate")
  }

  @Test func statisticsAreUpdatedButNotLearned() throws {
    let graph = try build([BatchNorm2D(), Flatten(), Dense(2)])
    #expect(
      updatedNames(graph).filter { $0.contains("running") } == [
        "batch_norm2d.running_mean", "batch_norm2d.running_var",
      ])
    let frozen = try build([BatchNorm2D(frozen: true), Flatten(), Dense(2)])
    #expect(updatedNames(frozen).filter { $0.contains("running") } == [])
    #expect(frozen.nodes.contains { $0.operation is Normalize })
  }

  @Test func modelsThatDoNotFitTheLoss() {
    expectError(.shapeMismatch, at: "loss", expected: "logits [N, classes]", found: "[4]") {
      _ = try build([Dense(1), Reshape([])], [5])
    }
    expectError(.notFound, at: "loss", expected: "a trainable weight", found: "none of 0") {
      _ = try build([Flatten()])
    }
    expectError(.shapeMismatch, at: "loss", expected: "at least one row", found: "[0, 2]") {
      _ = try TrainingGraph.build(
        model: Dense(2), inputShape: [3], batch: 0, loss: .softmaxCrossEntropy(), optimizer: .sgd())
    }
    expectError(.notFound, at: "model", expected: "an input shape", found: "none") {
      _ = try TrainingGraph.build(model: Dense(2), batch: 1, loss: .softmaxCrossEntropy(), optimizer: .sgd())
    }
  }

  @Test func optimizersOutsideTheirRange() {
    for (optimizer, expected) in [
      (.sgd(momentum: -0.1), "momentum"), (.sgd(momentum: .nan), "momentum"), (.sgd(nesterov: true), "Nesterov"),
      (.sgd(weightDecay: -1), "weight decay"),
      (.sgd(groups: ["default": ParameterGroup(weightDecay: .nan)]), "weight decay"),
      (.adam(beta1: 1), "betas in 0..<1"), (.adam(beta2: -0.1), "betas in 0..<1"), (.adam(epsilon: .nan), "epsilon"),
      (.adamW(weightDecay: .infinity), "weight decay"),
    ] as [(Optimizer, String)] {
      expectError(.invalidAttribute, at: "dense.weight.update", expected: expected) {
        _ = try build([Dense(3)], [5], optimizer: optimizer)
      }
    }
  }

  @Test func groupsThatNoWeightIsIn() {
    expectError(.notFound, at: "optimizer", expected: "default", found: "\"heads\"") {
      _ = try build([Dense(3)], [5], optimizer: .sgd(groups: ["heads": ParameterGroup(), "default": ParameterGroup()]))
    }
  }

  /// Any graph with a loss can be made a training step, once.
  @Test func graphsBuiltByHand() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([3]))
    let w = try graph.addVariable(Variable(name: "w", type: TensorType([3])))
    _ = try graph.addVariable(Variable(name: "unused", type: TensorType([3])))
    let product = try graph.apply(Multiply(), x, w, name: "product")
    let loss = try graph.apply(SumAll(), product, name: "sum")
    try graph.addTraining(loss: loss, optimizer: .sgd())
    #expect(updatedNames(graph) == ["step", "w"])
    #expect(graph.outputs.map(\.name) == ["loss"])
    expectError(.duplicateName, at: "output loss") { try graph.addTraining(loss: loss, optimizer: .sgd()) }
  }
}
