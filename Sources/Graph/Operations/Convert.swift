/// y = factor x + offset in another element type, for images that come as bytes: factor 1/255 brings them to 0...1.
///
/// - x: any type and shape; y: float32 or float64 of the same.
/// - Gradient: factor dy in x's type; none for integers.
public struct Convert: Operation, Hashable {
  /// The type of the result's elements.
  public let element: ElementType
  /// What elements are multiplied by.
  public let factor: Double
  /// What is added after it.
  public let offset: Double

  /// Attributes are checked when a graph gets the operation.
  public init(to element: ElementType, factor: Double = 1, offset: Double = 0) {
    (self.element, self.factor, self.offset) = (element, factor, offset)
  }

  public var name: String { "convert" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 1...1, at: location)
    guard element.isFloatingPoint else {
      throw TesseraError(
        .elementTypeMismatch, at: location, expected: "a conversion to floating point",
        found: "\(inputs[0].element) to \(element)")
    }
    return [TensorType(inputs[0].shape, element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let source = graph.type(of: context.node.inputs[0]).element
    guard source.isFloatingPoint else { return [nil] }
    return [
      try graph.apply(
        Convert(to: source, factor: factor), context.firstOutputGradient(),
        name: context.name("dx"))
    ]
  }
}
