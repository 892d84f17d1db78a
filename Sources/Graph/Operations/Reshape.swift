/// The same elements in the same row-major order under another shape.
///
/// - x: any shape; y: `shape`, of as many elements.
/// - Gradient: reshaped back.
public struct ReshapeOperation: Operation, Hashable {
  /// The shape of the result.
  public let shape: Shape

  /// Attributes are checked when a graph gets the operation.
  public init(shape: Shape) { self.shape = shape }

  public var name: String { "reshape" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 1...1, at: location)
    try shape.validate(at: location)
    guard shape.count == inputs[0].shape.count else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "a shape of \(inputs[0].shape.count) elements",
        found: "\(shape)")
    }
    return [TensorType(shape, inputs[0].element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    [
      try graph.apply(
        ReshapeOperation(shape: graph.shape(of: context.node.inputs[0])),
        context.firstOutputGradient(), name: context.name("dx"))
    ]
  }
}
