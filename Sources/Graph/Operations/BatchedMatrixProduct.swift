/// Products of matrices, pair by pair.
///
/// c[i,m,n] = sum over k of a[i,m,k] b[i,k,n]
///
/// - a: [batch, M, K]; b: [batch, K, N]; c: [batch, M, N].
/// - Gradients: da = dc b^T, db = a^T dc.
public struct BatchedMatrixProduct: Operation, Hashable {
  /// The operation has no attributes.
  public init() {}

  public var name: String { "batched_matrix_product" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 2...2, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    let (a, b) = (inputs[0], inputs[1])
    try OperandCheck.rank(a, 3, "matrices [batch, M, K]", at: location)
    try OperandCheck.equal(
      b, TensorType([a.shape[0], a.shape[2], b.shape.dimensions.last ?? 0], a.element), "matrices to multiply with",
      at: location)
    return [TensorType([a.shape[0], a.shape[1], b.shape[2]], a.element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    let dy = try context.firstOutputGradient()
    let transpose = Transpose(permutation: [0, 2, 1])
    var gradients: [Value?] = [nil, nil]
    if context.isNeeded(0) {
      let b = try graph.apply(transpose, context.node.inputs[1], name: context.name("b"))
      gradients[0] = try graph.apply(self, dy, b, name: context.name("da"))
    }
    if context.isNeeded(1) {
      let a = try graph.apply(transpose, context.node.inputs[0], name: context.name("a"))
      gradients[1] = try graph.apply(self, a, dy, name: context.name("db"))
    }
    return gradients
  }

  public func flops(_ inputs: [TensorType]) -> Double {
    2 * Double(inputs[0].shape.count) * Double(inputs[1].shape[2])
  }
}
