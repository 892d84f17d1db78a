import Tessera
import Testing

/// Optimizers, and a network that is trained, do what PyTorch does.
@Suite struct TrainingFixtureTests {
  @Test func fixturesCanBeRead() throws {
    #expect(try !Fixtures.optimizers.get().isEmpty)
    #expect(try !Fixtures.networks.get().isEmpty)
  }

  @Test(arguments: (try? Fixtures.optimizers.get()) ?? [], Arithmetic.all)
  func optimizerAgreesWithPyTorch(_ fixture: OptimizerFixture, _ arithmetic: Arithmetic) throws {
    let type = TensorType(Shape(fixture.parameter.shape), arithmetic.element)
    var graph = Graph()
    let p = try graph.addVariable(Variable(name: "p", type: type))
    let g = try graph.addInput("g", type)
    // The gradient of sum(p g) with respect to p is g.
    let product = try graph.apply(Multiply(), p, g, name: "product")
    let loss = try graph.apply(SumAll(), product, name: "sum")
    try graph.addTraining(loss: loss, optimizer: fixture.optimizer())

    let store = ParameterStore()
    let session = try Session(Program(graph, options: arithmetic.options), store: store, workers: 2)
    try store.set(["p": fixture.parameter.tensor(arithmetic.element)])
    let rate = try Tensor([fixture.attributes.learningRate], shape: .scalar)
    for (index, step) in fixture.steps.enumerated() {
      _ = try session.run(["g": step.gradient.tensor(arithmetic.element), "learning_rate": rate])
      let place = "\(fixture), step \(index)"
      try arithmetic.expect(store["p"], step.parameter, "\(place): parameter")
      for (name, state) in step.states {
        try arithmetic.expect(store["p.\(name)"], state, "\(place): \(name)")
      }
    }
    #expect(try store["step"]?.elements(as: Int64.self) == [Int64(fixture.steps.count)])
  }

  @Test(arguments: Arithmetic.all)
  func networkAgreesWithPyTorch(_ arithmetic: Arithmetic) throws {
    let fixture = try #require(try Fixtures.networks.get().first)
    let model = Sequential {
      Conv2D(6, kernelSize: 3, padding: .half, inputShape: [6, 4, 2], name: "conv")
      ReLU()
      MaxPool2D(2)
      BatchNorm2D(name: "norm")
      Flatten()
      Dense(7, activation: .softmax, name: "dense")
    }
    let graph = try TrainingGraph.build(
      model: model, batch: 5, loss: .softmaxCrossEntropy(),
      optimizer: .sgd(momentum: fixture.momentum), element: arithmetic.element)
    let store = ParameterStore()
    let session = try Session(Program(graph, options: arithmetic.options), store: store, workers: 2)
    try store.set(fixture.initial.mapValues { try $0.tensor(arithmetic.element) })
    let rate = try Tensor([fixture.learningRate], shape: .scalar)
    for (index, step) in fixture.steps.enumerated() {
      let results = try session.run([
        "input": step.x.tensor(arithmetic.element),
        "target": Tensor(step.labels, shape: [step.labels.count]), "learning_rate": rate,
      ])
      try arithmetic.expect(
        results["loss"], FixtureArray(shape: [], values: [step.loss]), "loss of step \(index)")
      try arithmetic.expect(results["output"], step.probabilities, "probabilities of step \(index)")
    }
    for (name, expected) in fixture.final {
      try arithmetic.expect(store[name], expected, "\(name) after \(fixture.steps.count) steps")
    }
  }
}

extension OptimizerFixture {
  func optimizer() throws -> Optimizer {
    let (momentum, weightDecay) = (attributes.momentum ?? 0, attributes.weightDecay ?? 0)
    // What a fixture leaves out has the same default in PyTorch.
    let (beta1, beta2) = (attributes.beta1 ?? 0.9, attributes.beta2 ?? 0.999)
    let epsilon = attributes.epsilon ?? 1e-8
    switch attributes.rule {
    case "sgd":
      return .sgd(
        momentum: momentum, nesterov: attributes.nesterov ?? false, weightDecay: weightDecay)
    case "adam":
      return .adam(beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay)
    case "adamW":
      return .adamW(beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay)
    default: throw UnknownName(name: attributes.rule)
    }
  }
}
