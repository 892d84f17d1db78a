/// loss = reduction over all elements of (x - target)^2.
///
/// - x, target: one type; loss: scalar.
/// - Runs by its decomposition, from which its gradients follow.
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

  public func decompose(_ inputs: [Value], in graph: inout Graph, at location: String)
    throws(TesseraError) -> [Value]?
  {
    let count = graph.shape(of: inputs[0]).count
    let difference = try graph.apply(
      Subtract(), inputs[0], inputs[1], name: "\(location).difference")
    let square = try graph.apply(Multiply(), difference, difference, name: "\(location).square")
    let sum = try graph.apply(SumAll(), square, name: "\(location).sum")
    guard reduction == .mean else { return [sum] }
    return [try graph.apply(Affine(factor: 1 / Double(count)), sum, name: location)]
  }
}
