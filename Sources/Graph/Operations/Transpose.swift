/// Dimensions in another order.
///
/// y[i0, i1, ...] = x[j0, j1, ...] with j[permutation[a]] = i[a]: dimension a of y is dimension permutation[a] of x.
///
/// - x: any shape; y: its dimensions permuted.
/// - Gradient: the inverse permutation.
public struct Transpose: Operation, Hashable {
  /// For each dimension of y the one of x that it is.
  public let permutation: [Int]

  /// Attributes are checked when a graph gets the operation.
  public init(permutation: [Int]) { self.permutation = permutation }

  /// [N, C, H, W] to [N, H, W, C].
  public static let fromNCHW = Transpose(permutation: [0, 2, 3, 1])
  /// [N, H, W, C] to [N, C, H, W].
  public static let toNCHW = Transpose(permutation: [0, 3, 1, 2])

  public var name: String { "transpose" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 1...1, at: location)
    let x = inputs[0]
    guard permutation.sorted() == Array(0..<x.shape.rank) else {
      throw TesseraError(
        .invalidAttribute, at: location, expected: "a permutation of 0..<\(x.shape.rank)",
        found: "\(permutation)")
    }
    return [TensorType(Shape(permutation.map { x.shape[$0] }), x.element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    var inverse = permutation
    for (a, axis) in permutation.enumerated() { inverse[axis] = a }
    return [
      try graph.apply(
        Transpose(permutation: inverse), context.firstOutputGradient(), name: context.name("dx"))
    ]
  }
}
