/// y = f(x w + b): every output depends on every input.
///
/// - Input [N, C], output [N, units].
/// - Parameters `weight` [C, units] and `bias` [units].
public struct Dense: Layer {
  private let units: Int
  private let activation: LayerActivation
  private let options: WeightOptions
  private let name: String?
  /// The shape of one example, if the layer was told.
  public let inputShape: Shape?

  /// - Parameter inputShape: [C], for a model's first layer.
  public init(
    _ units: Int, activation: LayerActivation = .linear, useBias: Bool = true,
    inputShape: Shape? = nil, initializer: Initializer = .glorot,
    biasInitializer: Initializer = .zeros, trainable: Bool = true,
    group: String = Variable.defaultGroup, name: String? = nil
  ) {
    self.units = units
    self.activation = activation
    options = WeightOptions(
      initializer: initializer, biasInitializer: useBias ? biasInitializer : nil,
      isTrainable: trainable, group: group)
    self.name = name
    self.inputShape = inputShape
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "dense") { () throws(TesseraError) in
      let location = builder.name()
      let type = builder.graph.type(of: x)
      try OperandCheck.rank(type, 2, "[N, C]; Flatten comes before Dense", at: location)
      try OperandCheck.attribute(units >= 1, "units of 1 or more", found: "\(units)", at: location)
      let operands = try options.parameters(
        weight: [type.shape[1], units], bias: units, in: builder)
      return try activation.build(
        try builder.apply(MatrixProduct(), [x] + operands), in: builder)
    }
  }
}
