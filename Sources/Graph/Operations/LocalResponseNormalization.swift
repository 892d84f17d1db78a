/// Each element divided by a power of what its neighbouring channels amount to.
///
/// y[i,c] = x[i,c] / s[i,c]^beta, s[i,c] = bias + alpha / size times the sum of x[i,j]^2 over
/// c - (size - 1) / 2 <= j <= c + size / 2, rounded down, 0 <= j < C
///
/// - x: [..., C], floating point; y like x.
/// - Gradient: ``LocalResponseNormalizationGradient``.
/// - Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks" (2012);
///   the window as ONNX has it.
public struct LocalResponseNormalization: Operation, Hashable {
  /// Channels of a window, 1 or more.
  public let size: Int
  /// Finite, 0 or more.
  public let alpha: Double
  /// Finite.
  public let beta: Double
  /// Finite, 0 or more.
  public let bias: Double

  /// Attributes are checked when a graph gets the operation.
  public init(size: Int, alpha: Double = 1e-4, beta: Double = 0.75, bias: Double = 1) {
    (self.size, self.alpha, self.beta, self.bias) = (size, alpha, beta, bias)
  }

  public var name: String { "local_response_norm" }

  /// Channels of a window before the one it is for.
  package var before: Int { (size - 1) / 2 }
  /// And after it.
  package var after: Int { size / 2 }
  /// What each square counts.
  package var alphaOfTerm: Double { alpha / Double(size) }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 1...1, at: location)
    return [try type(inputs, at: location)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    [
      try graph.apply(
        LocalResponseNormalizationGradient(self), context.firstOutputGradient(), context.node.inputs[0],
        name: context.name("dx"))
    ]
  }

  fileprivate func type(_ inputs: [TensorType], at location: String) throws(TesseraError) -> TensorType {
    try OperandCheck.floatingPoint(inputs, at: location)
    try OperandCheck.attribute(
      size >= 1 && alpha >= 0 && bias >= 0 && alpha.isFinite && beta.isFinite && bias.isFinite,
      "a size of 1 or more, finite alpha and bias of 0 or more and a finite beta",
      found: "\(size), \(alpha), \(bias) and \(beta)", at: location)
    guard inputs[0].shape.rank >= 1 else {
      throw TesseraError(.shapeMismatch, at: location, expected: "rank 1 or more", found: "\(inputs[0].shape)")
    }
    return inputs[0]
  }
}

/// dx[i,c] = dy[i,c] / s[i,c]^beta - 2 alpha beta / size x[i,c] times the sum of dy[i,j] x[i,j] / s[i,j]^(beta + 1) over
/// those j whose window holds c. dy, x and dx have one type.
public struct LocalResponseNormalizationGradient: Operation, Hashable {
  /// Whose gradient.
  public let forward: LocalResponseNormalization

  /// Attributes are checked when a graph gets the operation.
  public init(_ forward: LocalResponseNormalization) { self.forward = forward }

  public var name: String { "local_response_norm_gradient" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 2...2, at: location)
    let type = try forward.type(inputs, at: location)
    try OperandCheck.equal(inputs[1], type, "x", at: location)
    return [type]
  }
}
