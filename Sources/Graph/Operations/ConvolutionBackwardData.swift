/// The transposed convolution: the gradient of ``Convolution2D`` with respect to x, and the forward pass of
/// ConvTranspose2D.
///
/// dx[n,h,w,g(k) C/G + c] = f(b + sum over p,q,r,s,k with h = p stride.y - top + r dilation.y, w = q stride.x - left +
/// s dilation.x
///   of dy[n,p,q,k] w[r,s,c,k]); positions that no window reaches get f(b).
///
/// - dy: [N, P, Q, K]; w: [R, S, C/groups, K]; b: [C], may be left out; dx: [N, H, W, C] with H, W given, since a
///   stride loses them.
/// - Gradients: those of the convolution read backwards.
/// - Source: Dumoulin and Visin (2016), section 4.
public struct ConvolutionBackwardData: Operation, Hashable {
  /// Window, stride, dilation and padding, in elements.
  public let window: ResolvedWindow2D
  /// Parts into which channels and filters are cut, 1 or more.
  public let groups: Int
  /// H, rows of the image.
  public let inputHeight: Int
  /// W, columns of the image.
  public let inputWidth: Int
  /// Applied to each element of the result.
  public let activation: ActivationFunction

  /// Attributes are checked when a graph gets the operation.
  public init(
    window: ResolvedWindow2D, groups: Int = 1, inputHeight: Int, inputWidth: Int,
    activation: ActivationFunction = .identity
  ) {
    (self.window, self.groups, self.activation) = (window, groups, activation)
    (self.inputHeight, self.inputWidth) = (inputHeight, inputWidth)
  }

  public var name: String { "conv2d_backward_data" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 2...3, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    let (dy, w) = (inputs[0], inputs[1])
    try OperandCheck.rank(dy, 4, "dy [N, P, Q, K]", at: location)
    try ConvolutionCheck.weights(w, window: window, groups: groups, at: location)
    try activation.validate(at: location)
    try ConvolutionCheck.channels(dy, w.shape[3], "dy", at: location)
    let channels = w.shape[2] * groups
    if inputs.count == 3 {
      try OperandCheck.equal(inputs[2], TensorType([channels], dy.element), "bias", at: location)
    }
    let output = try window.outputSize(height: inputHeight, width: inputWidth, at: location)
    guard dy.shape[1] == output.y, dy.shape[2] == output.x else {
      throw TesseraError(
        .shapeMismatch, at: location,
        expected: "dy of the \(output.y) x \(output.x) windows over \(inputHeight) x \(inputWidth)",
        found: "\(dy.shape)")
    }
    return [TensorType([dy.shape[0], inputHeight, inputWidth, channels], dy.element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let (dy, w) = (context.node.inputs[0], context.node.inputs[1])
    let dz = try activation.gradient(context, in: &graph)
    var gradients: [Value?] = [nil, nil]
    if context.isNeeded(0) {
      gradients[0] = try graph.apply(
        Convolution2D(window: window, groups: groups), dz, w, name: context.name("dx"))
    }
    if context.isNeeded(1) {
      gradients[1] = try graph.apply(
        ConvolutionBackwardWeights(window: window, groups: groups), dz, dy, name: context.name("dw"))
    }
    if context.node.inputs.count == 3 {
      gradients.append(
        context.isNeeded(2) ? try graph.apply(ChannelSum(), dz, name: context.name("db")) : nil)
    }
    return gradients
  }

  public func flops(_ inputs: [TensorType]) -> Double {
    let w = inputs[1].shape
    return 2 * Double(inputs[0].shape.count) * Double(w[0] * w[1] * w[2])
  }
}
