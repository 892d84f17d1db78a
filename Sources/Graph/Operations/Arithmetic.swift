/// y = a + b, element by element. a, b and y have one type. Gradients: dy for both.
public struct Add: Operation, Hashable {
  /// The operation has no attributes.
  public init() {}

  public var name: String { "add" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  { [try sameTypes(inputs, at: location)] }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let dy = try context.firstOutputGradient()
    return [dy, dy]
  }
}

/// y = a - b, element by element. a, b and y have one type. Gradients: dy and -dy.
public struct Subtract: Operation, Hashable {
  /// The operation has no attributes.
  public init() {}

  public var name: String { "subtract" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  { [try sameTypes(inputs, at: location)] }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let dy = try context.firstOutputGradient()
    let negative =
      context.isNeeded(1)
      ? try graph.apply(Affine(factor: -1), dy, name: context.name("db")) : nil
    return [dy, negative]
  }
}

/// y = a b, element by element. a, b and y have one type. Gradients: dy b and dy a.
public struct Multiply: Operation, Hashable {
  /// The operation has no attributes.
  public init() {}

  public var name: String { "multiply" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  { [try sameTypes(inputs, at: location)] }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let dy = try context.firstOutputGradient()
    let (a, b) = (context.node.inputs[0], context.node.inputs[1])
    return [
      context.isNeeded(0) ? try graph.apply(self, dy, b, name: context.name("da")) : nil,
      context.isNeeded(1) ? try graph.apply(self, dy, a, name: context.name("db")) : nil,
    ]
  }
}

/// y = factor x + offset, element by element. x and y have one type. Gradient: factor dy.
public struct Affine: Operation, Hashable {
  /// What elements are multiplied by.
  public let factor: Double
  /// What is added after it.
  public let offset: Double

  /// Attributes are checked when a graph gets the operation.
  public init(factor: Double, offset: Double = 0) {
    (self.factor, self.offset) = (factor, offset)
  }

  public var name: String { "affine" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 1...1, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    return inputs
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    [
      try graph.apply(
        Affine(factor: factor), context.firstOutputGradient(), name: context.name("dx"))
    ]
  }
}

private func sameTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
  -> TensorType
{
  try OperandCheck.count(inputs, 2...2, at: location)
  try OperandCheck.floatingPoint(inputs, at: location)
  try OperandCheck.equal(inputs[1], inputs[0], "the second operand", at: location)
  return inputs[0]
}
