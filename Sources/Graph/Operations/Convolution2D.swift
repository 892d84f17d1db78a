/// Two-dimensional cross-correlation of NHWC images with a bank of filters, and an activation.
///
/// y[n,p,q,k] = f(b[k] + sum over r,s,c of x[n, p stride.y - top + r dilation.y, q stride.x - left + s dilation.x, g(k)
/// C/G + c] w[r,s,c,k])
///
/// - x: [N, H, W, C]; w: [R, S, C/groups, K]; b: [K], may be left out; y: [N, P, Q, K].
/// - Gradients: dx is the transposed convolution of dy with w; dw correlates x with dy; db sums dy.
/// - Throws: ``TesseraError`` if the channels of x are not groups times w's, or no window fits.
/// - Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016).
public struct Convolution2D: Operation, Hashable {
  /// Window, stride, dilation and padding, in elements.
  public let window: ResolvedWindow2D
  /// Parts into which channels and filters are cut, 1 or more.
  public let groups: Int
  /// Applied to each element of the result.
  public let activation: ActivationFunction

  /// Attributes are checked when a graph gets the operation.
  public init(window: ResolvedWindow2D, groups: Int = 1, activation: ActivationFunction = .identity) {
    (self.window, self.groups, self.activation) = (window, groups, activation)
  }

  public var name: String { "conv2d" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 2...3, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    let (x, w) = (inputs[0], inputs[1])
    try OperandCheck.rank(x, 4, "x [N, H, W, C]", at: location)
    try ConvolutionCheck.weights(w, window: window, groups: groups, at: location)
    try activation.validate(at: location)
    try ConvolutionCheck.channels(x, w.shape[2] * groups, "x", at: location)
    if inputs.count == 3 {
      try OperandCheck.equal(inputs[2], TensorType([w.shape[3]], x.element), "bias", at: location)
    }
    let output = try window.outputSize(height: x.shape[1], width: x.shape[2], at: location)
    return [TensorType([x.shape[0], output.y, output.x, w.shape[3]], x.element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let (x, w) = (context.node.inputs[0], context.node.inputs[1])
    let dz = try activation.gradient(context, in: &graph)
    var gradients: [Value?] = [nil, nil]
    if context.isNeeded(0) {
      let shape = graph.shape(of: x)
      gradients[0] = try graph.apply(
        ConvolutionBackwardData(
          window: window, groups: groups, inputHeight: shape[1], inputWidth: shape[2]),
        dz, w, name: context.name("dx"))
    }
    if context.isNeeded(1) {
      gradients[1] = try graph.apply(
        ConvolutionBackwardWeights(window: window, groups: groups), x, dz, name: context.name("dw"))
    }
    if context.node.inputs.count == 3 {
      gradients.append(
        context.isNeeded(2) ? try graph.apply(ChannelSum(), dz, name: context.name("db")) : nil)
    }
    return gradients
  }

  public func flops(_ inputs: [TensorType]) -> Double {
    guard let output = try? outputTypes(inputs, at: name).first else { return 0 }
    let w = inputs[1].shape
    return 2 * Double(output.shape.count) * Double(w[0] * w[1] * w[2])
  }
}

extension ActivationFunction {
  /// The gradient before a fused activation: dy where there is none.
  func gradient(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> Value {
    let dy = try context.firstOutputGradient()
    guard self != .identity else { return dy }
    return try graph.apply(
      ActivationGradient(function: self), dy, context.node.outputs[0], name: context.name("dz"))
  }
}

/// What the three passes check alike.
enum ConvolutionCheck {
  static func weights(_ w: TensorType, window: ResolvedWindow2D, groups: Int, at location: String)
    throws(TesseraError)
  {
    try window.validate(at: location)
    try OperandCheck.rank(w, 4, "w [R, S, C/groups, K]", at: location)
    try OperandCheck.attribute(
      groups >= 1, "groups of 1 or more", found: "\(groups)", at: location)
    guard w.shape[0] == window.kernel.y, w.shape[1] == window.kernel.x else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "weights of a \(window.kernel) kernel",
        found: "\(w.shape)")
    }
    guard w.shape[2] >= 1, w.shape[3] >= 1, w.shape[3] % groups == 0 else {
      throw TesseraError(
        .shapeMismatch, at: location,
        expected: "at least one channel, and filters that \(groups) groups divide",
        found: "\(w.shape)")
    }
    let (channels, overflow) = w.shape[2].multipliedReportingOverflow(by: groups)
    try OperandCheck.attribute(
      !overflow && channels > 0, "channels that fit", found: "\(w.shape[2]) x \(groups)",
      at: location)
  }

  static func channels(_ type: TensorType, _ channels: Int, _ what: String, at location: String)
    throws(TesseraError)
  {
    guard type.shape[3] == channels else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "\(what) of \(channels) channels",
        found: "\(type.shape)")
    }
  }
}
