/// How ``Compare`` orders two numbers. None holds of NaN.
public enum Comparison: String, Hashable, Sendable {
  case equal, less, lessOrEqual, greater, greaterOrEqual
}

/// y = whether a and b compare, element by element.
///
/// - a, b: one type and shape; y: bool. No gradient.
public struct Compare: Operation, Hashable {
  /// What is asked of each pair.
  public let comparison: Comparison

  /// A question to each pair of elements.
  public init(_ comparison: Comparison) { self.comparison = comparison }

  public var name: String { "compare_\(comparison)" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 2...2, at: location)
    try OperandCheck.equal(inputs[1], inputs[0], "b", at: location)
    return [TensorType(inputs[0].shape, .bool)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    [nil, nil]
  }
}

/// y = condition ? a : b, element by element.
///
/// - condition: bool; a, b: floating point of one type; all of one shape; y like a.
/// - Gradients: dy where an operand was chosen, 0 elsewhere.
public struct Choose: Operation, Hashable {
  /// The operation has no attributes.
  public init() {}

  public var name: String { "choose" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 3...3, at: location)
    try OperandCheck.floatingPoint(Array(inputs[1...]), at: location)
    try OperandCheck.equal(inputs[0], TensorType(inputs[1].shape, .bool), "condition", at: location)
    try OperandCheck.equal(inputs[2], inputs[1], "b", at: location)
    return [inputs[1]]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    let dy = try context.firstOutputGradient()
    let type = graph.type(of: dy)
    let zero = try graph.addConstant([0], TensorType(.scalar, type.element))
    let zeros = try graph.apply(Broadcast(shape: type.shape), zero, name: context.name("zeros"))
    let condition = context.node.inputs[0]
    return [
      nil, context.isNeeded(1) ? try graph.apply(self, condition, dy, zeros, name: context.name("da")) : nil,
      context.isNeeded(2) ? try graph.apply(self, condition, zeros, dy, name: context.name("db")) : nil,
    ]
  }
}
