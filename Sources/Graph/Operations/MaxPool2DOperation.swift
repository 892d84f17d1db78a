/// The largest element of each window, and where it was.
///
/// y[n,p,q,c] = max over r,s of x[n, p stride.y - top + r dilation.y, q stride.x - left + s dilation.x, c], padding
/// left out; mask[n,p,q,c] = r S + s of the first maximum in that order, or of the first NaN.
///
/// - x: [N, H, W, C]; y: [N, P, Q, C]; mask: the same shape, int32.
/// - Gradient: by the mask alone (``MaxPool2DBackward``).
/// - Throws: ``TesseraError`` if the padding is larger than half the window, or a window holds no element of the image:
///   it would have no maximum.
public struct MaxPool2DOperation: Operation, Hashable {
  /// Window, stride, dilation and padding, in elements.
  public let window: ResolvedWindow2D

  /// Attributes are checked when a graph gets the operation.
  public init(window: ResolvedWindow2D) { self.window = window }

  public var name: String { "max_pool" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    let y = try PoolingCheck.outputType(inputs, window, at: location)
    let x = inputs[0].shape
    guard window.alwaysMeets(height: x[1], width: x[2]) else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "an element of the image in every window",
        found: "a window with none: \(window) over \(x[1]) x \(x[2])")
    }
    return [y, TensorType(y.shape, .int32)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let shape = graph.shape(of: context.node.inputs[0])
    return [
      try graph.apply(
        MaxPool2DBackward(window: window, inputHeight: shape[1], inputWidth: shape[2]),
        context.firstOutputGradient(), context.node.outputs[1], name: context.name("dx"))
    ]
  }
}

/// Brings each delta to the element that was the maximum; the mask is all that is known of the forward pass.
///
/// dx[n,h,w,c] = sum over the windows p,q whose mask points at (h, w) of dy[n,p,q,c]
///
/// - dy: [N, P, Q, C]; mask: the same shape, int32; dx: [N, H, W, C].
public struct MaxPool2DBackward: Operation, Hashable {
  /// Window, stride, dilation and padding, in elements.
  public let window: ResolvedWindow2D
  /// H, rows of the image.
  public let inputHeight: Int
  /// W, columns of the image.
  public let inputWidth: Int

  /// Attributes are checked when a graph gets the operation.
  public init(window: ResolvedWindow2D, inputHeight: Int, inputWidth: Int) {
    (self.window, self.inputHeight, self.inputWidth) = (window, inputHeight, inputWidth)
  }

  public var name: String { "max_pool_backward" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 2...2, at: location)
    let dx = try PoolingCheck.inputType(
      inputs[0], window, height: inputHeight, width: inputWidth, at: location)
    try OperandCheck.equal(inputs[1], TensorType(inputs[0].shape, .int32), "mask", at: location)
    return [dx]
  }
}

/// What the poolings check alike.
enum PoolingCheck {
  static func outputType(_ inputs: [TensorType], _ window: ResolvedWindow2D, at location: String)
    throws(TesseraError) -> TensorType
  {
    try OperandCheck.count(inputs, 1...1, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    let x = inputs[0]
    try OperandCheck.rank(x, 4, "x [N, H, W, C]", at: location)
    let output = try window.outputSize(height: x.shape[1], width: x.shape[2], at: location)
    let extent = Size2D(
      y: (window.kernel.y - 1) * window.dilation.y + 1,
      x: (window.kernel.x - 1) * window.dilation.x + 1)
    try OperandCheck.attribute(
      max(window.top, window.bottom) <= extent.y / 2 && max(window.left, window.right) <= extent.x / 2,
      "padding of at most half the window", found: "\(window)", at: location)
    return TensorType([x.shape[0], output.y, output.x, x.shape[3]], x.element)
  }

  static func inputType(
    _ dy: TensorType, _ window: ResolvedWindow2D, height: Int, width: Int, at location: String
  ) throws(TesseraError) -> TensorType {
    try OperandCheck.rank(dy, 4, "dy [N, P, Q, C]", at: location)
    let x = TensorType([dy.shape[0], height, width, dy.shape[3]], dy.element)
    try x.shape.validate(at: location)
    try OperandCheck.equal(dy, try outputType([x], window, at: location), "dy", at: location)
    return x
  }
}
