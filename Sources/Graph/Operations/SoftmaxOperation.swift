/// y[i,c] = exp(x[i,c]) / sum over k of exp(x[i,k]), over the last dimension.
///
/// - x, y: [..., C] of rank 1 or more, C at least 1.
/// - Gradient: ``SoftmaxGradient``.
public struct SoftmaxOperation: Operation, Hashable {
  /// The operation has no attributes.
  public init() {}

  public var name: String { "softmax" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 1...1, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    guard let classes = inputs[0].shape.dimensions.last, classes >= 1 else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "a last dimension of 1 or more",
        found: "\(inputs[0].shape)")
    }
    return inputs
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    [
      try graph.apply(
        SoftmaxGradient(), context.firstOutputGradient(), context.node.outputs[0],
        name: context.name("dx"))
    ]
  }
}

/// dx[i,c] = y[i,c] (dy[i,c] - sum over k of dy[i,k] y[i,k]). dy, y and dx have one type.
public struct SoftmaxGradient: Operation, Hashable {
  /// The operation has no attributes.
  public init() {}

  public var name: String { "softmax_gradient" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 2...2, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    try OperandCheck.equal(inputs[1], inputs[0], "y", at: location)
    return [inputs[0]]
  }
}
