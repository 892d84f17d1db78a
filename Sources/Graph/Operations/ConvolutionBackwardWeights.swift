/// The gradient of ``Convolution2D`` with respect to w: x correlated with dy.
///
/// dw[r,s,c,k] = sum over n,p,q of x[n, p stride.y - top + r dilation.y, q stride.x - left + s dilation.x, g(k) C/G +
/// c] dy[n,p,q,k]
///
/// - x: [N, H, W, C]; dy: [N, P, Q, K]; dw: [R, S, C/groups, K].
/// - Gradients: with respect to x the transposed convolution of dy, with respect to dy the convolution of x, both with
///   the incoming gradient as filter.
/// - Source: Dumoulin and Visin (2016).
public struct ConvolutionBackwardWeights: Operation, Hashable {
  /// Window, stride, dilation and padding, in elements.
  public let window: ResolvedWindow2D
  /// Parts into which channels and filters are cut, 1 or more.
  public let groups: Int

  /// Attributes are checked when a graph gets the operation.
  public init(window: ResolvedWindow2D, groups: Int = 1) {
    (self.window, self.groups) = (window, groups)
  }

  public var name: String { "conv2d_backward_weights" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 2...2, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    let (x, dy) = (inputs[0], inputs[1])
    try OperandCheck.rank(x, 4, "x [N, H, W, C]", at: location)
    try OperandCheck.rank(dy, 4, "dy [N, P, Q, K]", at: location)
    try OperandCheck.attribute(
      groups >= 1, "groups of 1 or more", found: "\(groups)", at: location)
    guard x.shape[3] >= 1, dy.shape[3] >= 1, x.shape[3] % groups == 0, dy.shape[3] % groups == 0
    else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "channels and filters that \(groups) groups divide",
        found: "\(x.shape), \(dy.shape)")
    }
    let output = try window.outputSize(height: x.shape[1], width: x.shape[2], at: location)
    try OperandCheck.equal(
      dy, TensorType([x.shape[0], output.y, output.x, dy.shape[3]], x.element), "dy", at: location)
    return [
      TensorType(
        [window.kernel.y, window.kernel.x, x.shape[3] / groups, dy.shape[3]], x.element)
    ]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let (x, dy) = (context.node.inputs[0], context.node.inputs[1])
    let g = try context.firstOutputGradient()
    var gradients: [Value?] = [nil, nil]
    if context.isNeeded(0) {
      let shape = graph.shape(of: x)
      gradients[0] = try graph.apply(
        ConvolutionBackwardData(
          window: window, groups: groups, inputHeight: shape[1], inputWidth: shape[2]),
        dy, g, name: context.name("dx"))
    }
    if context.isNeeded(1) {
      gradients[1] = try graph.apply(
        Convolution2D(window: window, groups: groups), x, g, name: context.name("ddy"))
    }
    return gradients
  }

  public func flops(_ inputs: [TensorType]) -> Double {
    let kernel = window.kernel
    return 2 * Double(inputs[1].shape.count)
      * Double(kernel.y * kernel.x * (inputs[0].shape[3] / max(1, groups)))
  }
}
