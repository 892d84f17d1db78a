/// The mean of each window.
///
/// y[n,p,q,c] = 1 / m sum over r,s of x[n, p stride.y - top + r dilation.y, q stride.x - left + s dilation.x, c], where
/// m counts the window's elements in the padded image (`countsPadding`), or only those in the image; a window without
/// any gives 0.
///
/// - x: [N, H, W, C]; y: [N, P, Q, C].
/// - Gradient: dy / m spread over the window.
public struct AveragePool2DOperation: Operation, Hashable {
  /// Window, stride, dilation and padding, in elements.
  public let window: ResolvedWindow2D
  /// Whether zeros of the padding count in the mean.
  public let countsPadding: Bool

  /// Attributes are checked when a graph gets the operation.
  public init(window: ResolvedWindow2D, countsPadding: Bool) {
    (self.window, self.countsPadding) = (window, countsPadding)
  }

  public var name: String { "average_pool" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  { [try PoolingCheck.outputType(inputs, window, at: location)] }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let shape = graph.shape(of: context.node.inputs[0])
    return [
      try graph.apply(
        AveragePool2DBackward(
          window: window, countsPadding: countsPadding, inputHeight: shape[1],
          inputWidth: shape[2]),
        context.firstOutputGradient(), name: context.name("dx"))
    ]
  }
}

/// The gradient of ``AveragePool2DOperation``: each delta divided by its window's count, summed where windows overlap.
///
/// - dy: [N, P, Q, C]; dx: [N, H, W, C].
/// - Gradient: the pooling itself.
public struct AveragePool2DBackward: Operation, Hashable {
  /// Window, stride, dilation and padding, in elements.
  public let window: ResolvedWindow2D
  /// Whether zeros of the padding count in the mean.
  public let countsPadding: Bool
  /// H, rows of the image.
  public let inputHeight: Int
  /// W, columns of the image.
  public let inputWidth: Int

  /// Attributes are checked when a graph gets the operation.
  public init(window: ResolvedWindow2D, countsPadding: Bool, inputHeight: Int, inputWidth: Int) {
    (self.window, self.countsPadding) = (window, countsPadding)
    (self.inputHeight, self.inputWidth) = (inputHeight, inputWidth)
  }

  public var name: String { "average_pool_backward" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 1...1, at: location)
    return [
      try PoolingCheck.inputType(
        inputs[0], window, height: inputHeight, width: inputWidth, at: location)
    ]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    [
      try graph.apply(
        AveragePool2DOperation(window: window, countsPadding: countsPadding),
        context.firstOutputGradient(), name: context.name("ddy"))
    ]
  }
}
