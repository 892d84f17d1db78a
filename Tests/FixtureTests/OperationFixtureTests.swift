import Tessera
import Testing

/// Results and gradients of every operation are PyTorch's.
@Suite struct OperationFixtureTests {
  @Test func fixturesCanBeRead() throws { #expect(try !Fixtures.operations.get().isEmpty) }

  @Test(arguments: (try? Fixtures.operations.get()) ?? [], Arithmetic.all)
  func agreesWithPyTorch(_ fixture: OperationFixture, _ arithmetic: Arithmetic) throws {
    let isTraining = fixture.attributes.training ?? true
    let builder = ModelBuilder(mode: isTraining ? .training : .inference, element: arithmetic.element)
    let x = try builder.graph.addInput("x", type("x", fixture, arithmetic))
    let y = try fixture.build(x, in: builder)
    var graph = builder.graph
    try graph.addOutput("y", y)
    var gradients: [String: Value] = [:]
    if let dy = fixture.dy { gradients = try differentiate(y, dy.values, in: &graph) }
    #expect(Set(gradients.keys) == Set((fixture.gradients ?? [:]).keys))
    for (name, gradient) in gradients { try graph.addOutput("d\(name)", gradient) }

    let store = ParameterStore()
    let session = try Session(Program(graph, options: arithmetic.options), store: store, workers: 2)
    var inputs: [String: Tensor] = [:]
    var parameters: [String: Tensor] = [:]
    for (name, array) in fixture.operands.merging(fixture.statistics, uniquingKeysWith: { $1 }) {
      let tensor = try array.tensor(arithmetic.element)
      if name == "x" || name == "target" { inputs[name] = tensor } else { parameters["layer.\(name)"] = tensor }
    }
    if let labels = fixture.labels { inputs["labels"] = try Tensor(labels, shape: [labels.count]) }
    try store.set(parameters)
    let results = try session.run(inputs)

    let conditioning = fixture.attributes.conditioning ?? 0
    try arithmetic.expect(results["y"], fixture.y, "\(fixture) y", conditioning: conditioning)
    for (name, gradient) in fixture.gradients ?? [:] {
      try arithmetic.expect(
        results["d\(name)"], gradient, "\(fixture) gradient of \(name)", conditioning: conditioning)
    }
    for (name, statistic) in fixture.updates {
      try arithmetic.expect(store["layer.\(name)"], statistic, "\(fixture) \(name)")
    }
  }

  private func type(_ operand: String, _ fixture: OperationFixture, _ arithmetic: Arithmetic) throws
    -> TensorType
  { TensorType(Shape(try #require(fixture.operands[operand]).shape), arithmetic.element) }

  /// Gradients of sum(y dy) with respect to every input and weight, by the fixture's names.
  private func differentiate(_ y: Value, _ dy: [Double], in graph: inout Graph) throws -> [String: Value] {
    let constant = try graph.addConstant(dy, graph.type(of: y))
    let product = try graph.apply(Multiply(), y, constant, name: "product")
    let loss = try graph.apply(SumAll(), product, name: "loss")
    var operands: [(name: String, value: Value)] = []
    for input in graph.inputs where graph.type(of: input.value).element.isFloatingPoint {
      operands.append((input.name, input.value))
    }
    for read in graph.variables where read.variable.isTrainable {
      operands.append((String(read.variable.name.dropFirst("layer.".count)), read.value))
    }
    let gradients = try graph.differentiate(loss, withRespectTo: operands.map(\.value))
    return Dictionary(
      uniqueKeysWithValues: zip(operands, gradients).compactMap { operand, gradient in
        gradient.map { (operand.name, $0) }
      })
  }
}

extension OperationFixture {
  /// Builds the operation, as a layer named "layer" or as a loss.
  func build(_ x: Value, in builder: ModelBuilder) throws -> Value {
    switch operation {
    case "cross_entropy":
      let labels = try builder.graph.addInput(
        "labels", TensorType([try #require(labels).count], .int32))
      return try builder.graph.add(
        SoftmaxCrossEntropy(reduction: reduction()), [x, labels], name: "loss")[0]
    case "mean_squared_error":
      let target = try builder.graph.addInput("target", builder.graph.type(of: x))
      return try builder.graph.apply(
        MeanSquaredError(reduction: reduction()), x, target, name: "loss")
    default:
      return try layer().build(x, in: builder)
    }
  }

  private func layer() throws -> any Layer {
    let name = "layer"
    let hasBias = attributes.hasBias ?? true
    switch operation {
    case "conv2d":
      return Conv2D(
        try filters(), kernelSize: try size(attributes.kernel), stride: try size(attributes.stride),
        dilation: try size(attributes.dilation), groups: try #require(attributes.groups),
        padding: try padding(), activation: try activation(), useBias: hasBias, name: name)
    case "conv_transpose2d":
      return ConvTranspose2D(
        try filters(), kernelSize: try size(attributes.kernel), stride: try size(attributes.stride),
        dilation: try size(attributes.dilation), groups: try #require(attributes.groups),
        padding: try padding(), outputPadding: try size(attributes.outputPadding),
        activation: try activation(), useBias: hasBias, name: name)
    case "linear":
      return Dense(try filters(), activation: try activation(), useBias: hasBias, name: name)
    case "max_pool2d":
      return MaxPool2D(
        try size(attributes.kernel), stride: try size(attributes.stride),
        dilation: try size(attributes.dilation), padding: try padding(), name: name)
    case "average_pool2d":
      return AveragePool2D(
        try size(attributes.kernel), stride: try size(attributes.stride), padding: try padding(),
        countsPadding: try #require(attributes.countsPadding as Bool?), name: name)
    case "batch_norm2d":
      return BatchNorm2D(
        epsilon: try #require(attributes.epsilon), momentum: try #require(attributes.momentum),
        name: name)
    case "group_norm":
      return GroupNorm(
        groups: try #require(attributes.groups), epsilon: try #require(attributes.epsilon), name: name)
    case "instance_norm2d": return InstanceNorm2D(epsilon: try #require(attributes.epsilon), name: name)
    case "layer_norm": return LayerNorm(epsilon: try #require(attributes.epsilon), name: name)
    case "local_response_norm":
      return LocalResponseNorm(
        size: try filters(), alpha: try #require(attributes.alpha), beta: try #require(attributes.beta),
        bias: try #require(attributes.bias), name: name)
    case "activation":
      switch try activation() {
      case .relu: return ReLU(name: name)
      case .leakyRelu(slope: slope): return LeakyReLU(slope: slope, name: name)
      case .sigmoid: return Sigmoid(name: name)
      case .tanh: return Tanh(name: name)
      default: return Softmax(name: name)
      }
    default: throw UnknownName(name: operation)
    }
  }

  /// As in the fixtures: 0.1 in float32.
  private var slope: Double { Double(Float(0.1)) }

  private func filters() throws -> Int { try #require(attributes.filters) }

  private func size(_ pair: [Int]?) throws -> Size2D {
    let pair = try #require(pair)
    return Size2D(y: pair[0], x: pair[1])
  }

  private func padding() throws -> Padding2D {
    let sides = try #require(attributes.padding)
    return .explicit(top: sides[0], left: sides[1], bottom: sides[2], right: sides[3])
  }

  private func activation() throws -> LayerActivation {
    switch attributes.activation {
    case "identity": .linear
    case "relu": .relu
    case "leaky_relu": .leakyRelu(slope: slope)
    case "sigmoid": .sigmoid
    case "tanh": .tanh
    case "softmax": .softmax
    case let name: throw UnknownName(name: name ?? "none")
    }
  }

  private func reduction() throws -> Reduction {
    switch attributes.reduction {
    case "mean": .mean
    case "sum": .sum
    case let name: throw UnknownName(name: name ?? "none")
    }
  }
}

/// A fixture names something that these tests don't know.
struct UnknownName: Error {
  let name: String
}
