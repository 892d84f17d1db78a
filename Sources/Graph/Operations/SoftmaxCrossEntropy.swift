/// How the losses of a batch become one number.
public struct Reduction: Hashable, Sendable, CustomStringConvertible {
  public let description: String

  /// Their mean.
  public static let mean = Reduction(description: "mean")
  /// Their sum.
  public static let sum = Reduction(description: "sum")
}

/// Softmax and cross-entropy in one, stable for logits of any finite size.
///
/// loss = reduction over i of log(sum over k of exp x[i,k]) - sum over k of t[i,k] x[i,k]; probabilities = softmax(x).
/// The target t is 1 at the label and 0 elsewhere; smoothed, 1 - e + e / classes and e / classes.
///
/// - x: [N, classes]; labels: [N], int32 in 0..<classes (a label outside is an error of the run); loss: scalar;
///   probabilities: like x.
/// - Gradient: ``SoftmaxCrossEntropyGradient``; none through the probabilities.
/// - Source of the smoothing: Szegedy et al., "Rethinking the inception architecture" (2016); as in PyTorch.
public struct SoftmaxCrossEntropy: Operation, Hashable {
  /// How terms become one number.
  public let reduction: Reduction
  /// The share e of the target that all classes have alike, in 0...1.
  public let labelSmoothing: Double

  /// Attributes are checked when a graph gets the operation.
  public init(reduction: Reduction, labelSmoothing: Double = 0) {
    (self.reduction, self.labelSmoothing) = (reduction, labelSmoothing)
  }

  public var name: String { "softmax_cross_entropy" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 2...2, at: location)
    let x = inputs[0]
    try OperandCheck.floatingPoint([x], at: location)
    try OperandCheck.rank(x, 2, "logits [N, classes]", at: location)
    try OperandCheck.attribute(
      labelSmoothing >= 0 && labelSmoothing <= 1, "a label smoothing in 0...1", found: "\(labelSmoothing)",
      at: location)
    guard x.shape[1] >= 1 else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "at least one class", found: "\(x.shape)")
    }
    guard x.shape[0] >= 1 || reduction != .mean else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "at least one row to take the mean of",
        found: "\(x.shape)")
    }
    try OperandCheck.equal(inputs[1], TensorType([x.shape[0]], .int32), "labels", at: location)
    return [TensorType(.scalar, x.element), x]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let node = context.node
    let dx = try graph.apply(
      SoftmaxCrossEntropyGradient(reduction: reduction, labelSmoothing: labelSmoothing), context.firstOutputGradient(),
      node.outputs[1], node.inputs[1], name: context.name("dx"))
    return [dx, nil]
  }
}

/// dx[i,c] = dloss (probabilities[i,c] - t[i,c]), divided by N for the mean; t as in ``SoftmaxCrossEntropy``.
///
/// - Operands dloss: scalar; probabilities: [N, classes]; labels: [N], int32. Result like the probabilities.
public struct SoftmaxCrossEntropyGradient: Operation, Hashable {
  /// How terms become one number.
  public let reduction: Reduction
  /// The share of the target that all classes have alike, in 0...1.
  public let labelSmoothing: Double

  /// Attributes are checked when a graph gets the operation.
  public init(reduction: Reduction, labelSmoothing: Double = 0) {
    (self.reduction, self.labelSmoothing) = (reduction, labelSmoothing)
  }

  public var name: String { "softmax_cross_entropy_gradient" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 3...3, at: location)
    try OperandCheck.rank(inputs[1], 2, "probabilities [N, classes]", at: location)
    try OperandCheck.equal(inputs[0], TensorType(.scalar, inputs[1].element), "dloss", at: location)
    try OperandCheck.equal(
      inputs[2], TensorType([inputs[1].shape[0]], .int32), "labels", at: location)
    return [inputs[1]]
  }
}
