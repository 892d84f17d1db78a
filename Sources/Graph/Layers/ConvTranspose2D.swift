/// The transposed convolution: each input element adds its multiple of the filter to the output; a stride enlarges.
///
/// - Input [N, P, Q, C]; output [N, H, W, filters] with H = (P - 1) stride - top - bottom + (R - 1) dilation + 1 +
///   outputPadding; with padding `same` H = P stride. These are PyTorch's sizes (`torch.nn.ConvTranspose2d`).
/// - Parameters `weight` [R, S, filters/groups, C], that of the convolution whose backward-data pass this is, and
///   `bias` [filters].
public struct ConvTranspose2D: Layer {
  private let filters: Int
  private let window: Window2D
  private let outputPadding: Size2D
  private let groups: Int
  private let activation: LayerActivation
  private let options: WeightOptions
  private let name: String?
  /// The shape of one example, if the layer was told.
  public let inputShape: Shape?

  /// - Parameters:
  ///   - outputPadding: rows and columns more at bottom and right, fewer than the stride; 0 with padding `same`.
  ///   - inputShape: [P, Q, C], for a model's first layer.
  public init(
    _ filters: Int, kernelSize: Size2D, stride: Size2D = 1, dilation: Size2D = 1,
    groups: Int = 1, padding: Padding2D = .none, outputPadding: Size2D = 0,
    activation: LayerActivation = .linear, useBias: Bool = true, inputShape: Shape? = nil,
    initializer: Initializer = .glorot, biasInitializer: Initializer = .zeros,
    trainable: Bool = true, group: String = Variable.defaultGroup, name: String? = nil
  ) {
    self.filters = filters
    window = Window2D(kernel: kernelSize, stride: stride, dilation: dilation, padding: padding)
    self.outputPadding = outputPadding
    self.groups = groups
    self.activation = activation
    options = WeightOptions(
      initializer: initializer, biasInitializer: useBias ? biasInitializer : nil,
      isTrainable: trainable, group: group)
    self.name = name
    self.inputShape = inputShape
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "conv_transpose2d") { () throws(TesseraError) in
      let location = builder.name()
      let type = builder.graph.type(of: x)
      try OperandCheck.rank(type, 4, "images [N, P, Q, C]", at: location)
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
      let (window, size) = try self.window.transposed(
        height: type.shape[1], width: type.shape[2], outputPadding: outputPadding, at: location)
      let operands = try options.parameters(
        weight: [window.kernel.y, window.kernel.x, filters / groups, channels], bias: filters,
        in: builder)
      let operation = ConvolutionBackwardData(
        window: window, groups: groups, inputHeight: size.y, inputWidth: size.x)
      return try activation.build(try builder.apply(operation, [x] + operands), in: builder)
    }
  }
}

extension Window2D {
  /// The image over which this window has `height` x `width` positions, and the window resolved on it.
  /// - Throws: ``TesseraError/Code/invalidAttribute`` for an output padding of the stride or more.
  func transposed(height: Int, width: Int, outputPadding: Size2D, at location: String)
    throws(TesseraError) -> (ResolvedWindow2D, Size2D)
  {
    let isSame = padding == .same
    try OperandCheck.attribute(
      isSame
        ? outputPadding == 0
        : outputPadding.y >= 0 && outputPadding.x >= 0 && outputPadding.y < max(1, stride.y)
          && outputPadding.x < max(1, stride.x),
      isSame ? "no output padding with padding same" : "output padding in 0..<stride",
      found: "\(outputPadding)", at: location)
    // Padding other than `same` doesn't depend on the image.
    var window = try resolve(height: 0, width: 0, at: location)
    func size(_ positions: Int, _ stride: Int, _ rest: Int) throws(TesseraError) -> Int {
      let (reach, overflow) = (isSame ? positions : max(0, positions - 1))
        .multipliedReportingOverflow(by: stride)
      try OperandCheck.attribute(
        !overflow && reach < Int.max / 4, "an output of at most \(Int.max / 4) rows and columns",
        found: "\(positions) with stride \(stride)", at: location)
      return isSame ? reach : max(0, reach + rest)
    }
    let (top, left, bottom, right) = (window.top, window.left, window.bottom, window.right)
    let output = Size2D(
      y: try size(
        height, stride.y,
        (kernel.y - 1) * dilation.y + 1 + outputPadding.y - top - bottom),
      x: try size(
        width, stride.x, (kernel.x - 1) * dilation.x + 1 + outputPadding.x - left - right))
    if isSame { window = try resolve(height: output.y, width: output.x, at: location) }
    return (window, output)
  }
}
