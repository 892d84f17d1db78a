/// A bank of filters slid over NHWC images, plus a bias for each filter, and an activation.
///
/// Keras' `Conv2D(64, kernel_size=3, activation='relu', input_shape=(28,28,1))` is
/// `Conv2D(64, kernelSize: 3, activation: .relu, inputShape: [28, 28, 1])`.
///
/// - Input [N, H, W, C], output [N, P, Q, filters] with P, Q by the padding's rule (``Padding2D``).
/// - Parameters `weight` [R, S, C/groups, filters] and `bias` [filters].
public struct Conv2D: Layer {
  private let filters: Int
  private let window: Window2D
  private let groups: Int
  private let activation: LayerActivation
  private let options: WeightOptions
  private let name: String?
  /// The shape of one example, if the layer was told.
  public let inputShape: Shape?

  /// - Parameters:
  ///   - inputShape: [H, W, C], for a model's first layer.
  ///   - groups: input and output channels are cut into so many independent parts.
  ///   - group: the parameter group of weight and bias.
  public init(
    _ filters: Int, kernelSize: Size2D, stride: Size2D = 1, dilation: Size2D = 1,
    groups: Int = 1, padding: Padding2D = .none, activation: LayerActivation = .linear,
    useBias: Bool = true, inputShape: Shape? = nil, initializer: Initializer = .glorot,
    biasInitializer: Initializer = .zeros, trainable: Bool = true,
    group: String = Variable.defaultGroup, name: String? = nil
  ) {
    self.filters = filters
    window = Window2D(kernel: kernelSize, stride: stride, dilation: dilation, padding: padding)
    self.groups = groups
    self.activation = activation
    options = WeightOptions(
      initializer: initializer, biasInitializer: useBias ? biasInitializer : nil,
      isTrainable: trainable, group: group)
    self.name = name
    self.inputShape = inputShape
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "conv2d") { () throws(TesseraError) in
      let location = builder.name()
      let type = builder.graph.type(of: x)
      try OperandCheck.rank(type, 4, "images [N, H, W, C]", at: location)
      let channels = type.shape[3]
      try OperandCheck.attribute(
        filters >= 1, "filters of 1 or more", found: "\(filters)", at: location)
      try OperandCheck.attribute(
        groups >= 1, "groups of 1 or more", found: "\(groups)", at: location)
      guard channels >= 1, channels % groups == 0, filters % groups == 0 else {
        throw TesseraError(
          .shapeMismatch, at: location, expected: "channels and filters that \(groups) groups divide",
          found: "\(channels) channels, \(filters) filters")
      }
      let window = try window.resolve(height: type.shape[1], width: type.shape[2], at: location)
      let operands = try options.parameters(
        weight: [window.kernel.y, window.kernel.x, channels / groups, filters], bias: filters,
        in: builder)
      let operation = Convolution2D(window: window, groups: groups)
      return try activation.build(try builder.apply(operation, [x] + operands), in: builder)
    }
  }
}

/// How a layer with weights makes them.
struct WeightOptions: Sendable {
  let initializer: Initializer
  /// Nil: without a bias.
  let biasInitializer: Initializer?
  let isTrainable: Bool
  let group: String

  /// `weight` and, where there is one, `bias`.
  func parameters(weight: Shape, bias: Int, in builder: ModelBuilder) throws(TesseraError)
    -> [Value]
  {
    var values = [
      try builder.parameter(
        "weight", shape: weight, initializer: initializer, isTrainable: isTrainable, group: group)
    ]
    if let biasInitializer {
      values.append(
        try builder.parameter(
          "bias", shape: [bias], initializer: biasInitializer, isTrainable: isTrainable,
          group: group))
    }
    return values
  }
}
