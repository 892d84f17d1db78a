/// y = the sum of the squares of all elements of all operands.
///
/// - Operands: one or more of one floating-point type and any shapes. y: scalar. Each operand's chunks are summed, then the
///   chunks' sums in order: the order follows from the shapes alone.
/// - Gradient: none.
public struct SumOfSquares: Operation, Hashable {
  /// The operation has no attributes.
  public init() {}

  public var name: String { "sum_of_squares" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 1...Int.max, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    return [TensorType(.scalar, inputs[0].element)]
  }
}

/// y = x min(1, norm / (sqrt(squares) + 1e-6)): x as a part of something whose norm shouldn't be larger.
///
/// - Operands x: any shape; squares: scalar of the same type, the sum of squares of the whole (``SumOfSquares``). y like x.
/// - Gradient: none.
/// - Source: Pascanu et al., "On the difficulty of training recurrent neural networks" (2013); the 1e-6 is PyTorch's.
public struct ClipToNorm: Operation, Hashable {
  /// Above 0.
  public let norm: Double

  /// Attributes are checked when a graph gets the operation.
  public init(norm: Double) { self.norm = norm }

  public var name: String { "clip_to_norm" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 2...2, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    try OperandCheck.equal(inputs[1], TensorType(.scalar, inputs[0].element), "the sum of squares", at: location)
    try OperandCheck.attribute(norm > 0 && norm.isFinite, "a finite norm above 0", found: "\(norm)", at: location)
    return [inputs[0]]
  }

  /// What x is multiplied by.
  package func factor(_ squares: Double) -> Double { min(1, norm / (squares.squareRoot() + 1e-6)) }
}
