/// Sums of few elements along one dimension: interpolation, sums over windows.
///
/// y[..., i, ...] = sum over t of weights[t] x[..., indices[t], ...], t in offsets[i]..<offsets[i + 1]
///
/// - x: floating point, of `size` along the axis; y: offsets.count - 1 along it.
/// - Gradient: the transposed combination.
public struct AxisCombination: Operation, Hashable {
  /// The dimension.
  public let axis: Int
  /// Its size before.
  public let size: Int
  /// Where the terms of each result begin, and at last where they end.
  public let offsets: [Int]
  /// The coordinate of each term.
  public let indices: [Int]
  /// What it is multiplied by.
  public let weights: [Double]

  /// - Parameter terms: coordinates and weights of each result.
  public init(axis: Int, size: Int, terms: [[(index: Int, weight: Double)]]) {
    (self.axis, self.size) = (axis, size)
    var offsets = [0]
    for result in terms { offsets.append(offsets[offsets.count - 1] + result.count) }
    self.offsets = offsets
    indices = terms.flatMap { $0.map(\.index) }
    weights = terms.flatMap { $0.map(\.weight) }
  }

  public var name: String { "axis_combination" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 1...1, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    let shape = inputs[0].shape
    try OperandCheck.attribute(
      (0..<shape.rank).contains(axis) && shape[axis] == size, "an axis of size \(size)", found: "\(axis) of \(shape)",
      at: location)
    try OperandCheck.attribute(
      indices.allSatisfy((0..<size).contains), "coordinates in 0..<\(size)", found: "others", at: location)
    var dimensions = shape.dimensions
    dimensions[axis] = offsets.count - 1
    return [TensorType(Shape(dimensions), inputs[0].element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    var terms: [[(index: Int, weight: Double)]] = Array(repeating: [], count: size)
    for result in 0..<offsets.count - 1 {
      for t in offsets[result]..<offsets[result + 1] { terms[indices[t]].append((result, weights[t])) }
    }
    return [
      try graph.apply(
        AxisCombination(axis: axis, size: offsets.count - 1, terms: terms), context.firstOutputGradient(),
        name: context.name("dx"))
    ]
  }
}
