/// Slices of a tensor at indices that a run is given.
///
/// y[a..., i..., b...] = x[a..., indices[i...], b...], a the dimensions before the axis and b those after it; a negative
/// index counts from the end.
///
/// - x: [A..., D, B...] of any type; indices: [I...], int32 or int64 (one outside of -D..<D is an error of the run);
///   y: [A..., I..., B...].
/// - Gradient: of x (``GatherGradient``).
public struct Gather: Operation, Hashable {
  /// The dimension of x that indices count.
  public let axis: Int

  /// Attributes are checked when a graph gets the operation.
  public init(axis: Int) { self.axis = axis }

  public var name: String { "gather" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 2...2, at: location)
    let dimensions = inputs[0].shape.dimensions
    try OperandCheck.attribute(
      dimensions.indices.contains(axis), "an axis in 0..<\(dimensions.count)", found: "\(axis)", at: location)
    guard [.int32, .int64].contains(inputs[1].element) else {
      throw TesseraError(
        .elementTypeMismatch, at: location, expected: "indices of int32 or int64", found: "\(inputs[1].element)")
    }
    let shape = Array(dimensions[..<axis]) + inputs[1].shape.dimensions + Array(dimensions[(axis + 1)...])
    return [TensorType(Shape(shape), inputs[0].element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    let (x, indices) = (context.node.inputs[0], context.node.inputs[1])
    let dx = try graph.apply(
      GatherGradient(axis: axis, shape: graph.shape(of: x)), context.firstOutputGradient(), indices,
      name: context.name("dx"))
    return [dx, nil]
  }
}

/// dx of ``Gather``: each slice the sum of those of dy that were taken from it, in the order of the indices.
///
/// - dy: as the result; indices: as they were; dx: `shape`, floating point.
/// - Gradient: the slices again.
public struct GatherGradient: Operation, Hashable {
  /// The dimension that indices count.
  public let axis: Int
  /// Of what was gathered from.
  public let shape: Shape

  /// Attributes are checked when a graph gets the operation.
  public init(axis: Int, shape: Shape) { (self.axis, self.shape) = (axis, shape) }

  public var name: String { "gather_gradient" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 2...2, at: location)
    try OperandCheck.floatingPoint([inputs[0]], at: location)
    let x = TensorType(shape, inputs[0].element)
    let dy = try Gather(axis: axis).outputTypes([x, inputs[1]], at: location)[0]
    try OperandCheck.equal(inputs[0], dy, "dy", at: location)
    return [x]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    let ddy = try graph.apply(
      Gather(axis: axis), context.firstOutputGradient(), context.node.inputs[1], name: context.name("ddy"))
    return [ddy, nil]
  }
}
