/// Each row to mean 0 and variance 1, then scaled and shifted; a row is what the dimensions from an axis on count.
///
/// y[i,j] = (x[i,j] - mean[i]) inverse[i] scale[j] + shift[j], inverse = 1 / sqrt(variance + epsilon), the variance biased
///
/// - x: floating point, i the dimensions before the axis and j the others, of at least one element; scale, shift: of j's
///   shape; results y like x, then mean and inverse with size 1 from the axis on.
/// - Gradients: through mean and variance (``LayerNormalizationGradient``). The statistics themselves have none.
/// - Source: Ba, Kiros and Hinton, "Layer normalization" (2016).
public struct LayerNormalization: Operation, Hashable {
  /// The first dimension of a row.
  public let axis: Int
  /// Added to what is divided by; finite, 0 or more.
  public let epsilon: Double

  /// Attributes are checked when a graph gets the operation.
  public init(axis: Int, epsilon: Double) { (self.axis, self.epsilon) = (axis, epsilon) }

  public var name: String { "layer_norm" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 3...3, at: location)
    try OperandCheck.attribute(
      epsilon >= 0 && epsilon.isFinite, "a finite epsilon of 0 or more", found: "\(epsilon)", at: location)
    let (row, statistics) = try Self.types(inputs, axis: axis, at: location)
    try OperandCheck.equal(inputs[1], row, "scale", at: location)
    try OperandCheck.equal(inputs[2], row, "shift", at: location)
    return [inputs[0], statistics, statistics]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    let node = context.node
    return try graph.add(
      LayerNormalizationGradient(axis: axis),
      [context.firstOutputGradient(), node.inputs[0], node.outputs[1], node.outputs[2], node.inputs[1]],
      name: context.name("gradient"))
  }

  /// The types of a row and of a number for each row.
  fileprivate static func types(_ inputs: [TensorType], axis: Int, at location: String) throws(TesseraError)
    -> (row: TensorType, statistics: TensorType)
  {
    try OperandCheck.floatingPoint(inputs, at: location)
    let dimensions = inputs[0].shape.dimensions
    try OperandCheck.attribute(
      dimensions.indices.contains(axis), "an axis in 0..<\(dimensions.count)", found: "\(axis)", at: location)
    let row = Shape(Array(dimensions[axis...]))
    guard row.count > 0 else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "an element from axis \(axis) on", found: "\(inputs[0].shape)")
    }
    let statistics = Shape(dimensions[..<axis] + Array(repeating: 1, count: dimensions.count - axis))
    return (TensorType(row, inputs[0].element), TensorType(statistics, inputs[0].element))
  }
}

/// Gradients of ``LayerNormalization``. With xhat = (x - mean) inverse, g = dy scale and means over a row:
/// dx = inverse (g - mean g - xhat mean(g xhat)); dscale = sum dy xhat, dshift = sum dy, over all rows.
///
/// - Operands dy, x, mean, inverse, scale. Results dx, dscale, dshift.
public struct LayerNormalizationGradient: Operation, Hashable {
  /// The first dimension of a row.
  public let axis: Int

  /// Attributes are checked when a graph gets the operation.
  public init(axis: Int) { self.axis = axis }

  public var name: String { "layer_norm_gradient" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 5...5, at: location)
    let (row, statistics) = try LayerNormalization.types(inputs, axis: axis, at: location)
    try OperandCheck.equal(inputs[1], inputs[0], "x", at: location)
    for index in 2...3 { try OperandCheck.equal(inputs[index], statistics, "statistics", at: location) }
    try OperandCheck.equal(inputs[4], row, "scale", at: location)
    return [inputs[0], row, row]
  }
}
