/// The sum of all elements. x: any shape; y: scalar. Gradient: dy everywhere (``Broadcast``).
public struct SumAll: Operation, Hashable {
  /// The operation has no attributes.
  public init() {}

  public var name: String { "sum" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 1...1, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    return [TensorType(.scalar, inputs[0].element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    [
      try graph.apply(
        Broadcast(shape: graph.shape(of: context.node.inputs[0])), context.firstOutputGradient(),
        name: context.name("dx"))
    ]
  }
}

/// One number everywhere. x: scalar; y: `shape`. Gradient: the sum of dy.
public struct Broadcast: Operation, Hashable {
  /// The shape of the result.
  public let shape: Shape

  /// Attributes are checked when a graph gets the operation.
  public init(shape: Shape) { self.shape = shape }

  public var name: String { "broadcast" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 1...1, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    try OperandCheck.rank(inputs[0], 0, "a scalar", at: location)
    try shape.validate(at: location)
    return [TensorType(shape, inputs[0].element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  { [try graph.apply(SumAll(), context.firstOutputGradient(), name: context.name("dx"))] }
}
