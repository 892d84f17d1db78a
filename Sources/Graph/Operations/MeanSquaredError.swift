/// loss = reduction over all elements of (x - target)^2.
///
/// - x, target: one type; loss: scalar.
/// - dx = 2 f (x - target) dloss, f = 1 / count for the mean and 1 for the sum; the target's gradient is -dx.
public struct MeanSquaredError: Operation, Hashable {
  /// How terms become one number.
  public let reduction: Reduction

  /// Attributes are checked when a graph gets the operation.
  public init(reduction: Reduction) { self.reduction = reduction }

  public var name: String { "mean_squared_error" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 2...2, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    try OperandCheck.equal(inputs[1], inputs[0], "target", at: location)
    guard inputs[0].shape.count >= 1 || reduction != .mean else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "at least one element to take the mean of",
        found: "\(inputs[0].shape)")
    }
    return [TensorType(.scalar, inputs[0].element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let inputs = context.node.inputs
    let dx = try graph.apply(
      MeanSquaredErrorGradient(reduction: reduction), context.firstOutputGradient(), inputs[0], inputs[1],
      name: context.name("dx"))
    let dtarget =
      context.isNeeded(1) ? try graph.apply(Affine(factor: -1), dx, name: context.name("dtarget")) : nil
    return [dx, dtarget]
  }
}

/// dx of ``MeanSquaredError``.
///
/// - dloss: scalar; x, target: one type, which is the result's.
public struct MeanSquaredErrorGradient: Operation, Hashable {
  /// How terms became one number.
  public let reduction: Reduction

  /// Attributes are checked when a graph gets the operation.
  public init(reduction: Reduction) { self.reduction = reduction }

  public var name: String { "mean_squared_error_gradient" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 3...3, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    try OperandCheck.equal(inputs[0], TensorType(.scalar, inputs[1].element), "dloss", at: location)
    try OperandCheck.equal(inputs[2], inputs[1], "target", at: location)
    return [inputs[1]]
  }
}

extension Reduction {
  /// What a sum of `count` terms is multiplied by.
  package func factor(_ count: Int) -> Double { self == .mean ? 1 / Double(max(1, count)) : 1 }
}
