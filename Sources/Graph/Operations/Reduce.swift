/// How ``Reduce`` combines elements.
public struct ReductionFunction: Hashable, Sendable, CustomStringConvertible {
  package enum Kind: String, Hashable, Sendable {
    case sum, maximum, minimum, product
  }

  package let kind: Kind

  /// Their sum; 0 of none.
  public static let sum = ReductionFunction(kind: .sum)
  /// The largest, or NaN if one is; -infinity of none.
  public static let maximum = ReductionFunction(kind: .maximum)
  /// The smallest, or NaN if one is; infinity of none.
  public static let minimum = ReductionFunction(kind: .minimum)
  /// Their product; 1 of none.
  public static let product = ReductionFunction(kind: .product)

  public var description: String { kind.rawValue }
}

/// Combines the elements along some dimensions, which keep size 1.
///
/// y[o] = f over all x[i] whose coordinates outside of `axes` are o's
///
/// - x: floating point; y: the same with size 1 along the axes.
/// - Gradients: of the sum dy repeated; of maximum and minimum dy shared by the elements that are it; none of the
///   product.
public struct Reduce: Operation, Hashable {
  /// How elements are combined.
  public let function: ReductionFunction
  /// The dimensions, ascending.
  public let axes: [Int]

  /// Attributes are checked when a graph gets the operation.
  public init(_ function: ReductionFunction, axes: [Int]) { (self.function, self.axes) = (function, axes) }

  public var name: String { "reduce_\(function)" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 1...1, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    let rank = inputs[0].shape.rank
    try OperandCheck.attribute(
      axes == Set(axes).sorted() && axes.allSatisfy((0..<rank).contains), "ascending axes in 0..<\(rank)",
      found: "\(axes)", at: location)
    var dimensions = inputs[0].shape.dimensions
    for axis in axes { dimensions[axis] = 1 }
    return [TensorType(Shape(dimensions), inputs[0].element)]
  }

  /// A kernel reduces dimensions that follow each other: groups of them come one after the other, the last first.
  public func decompose(_ inputs: [Value], in graph: inout Graph, at location: String) throws(TesseraError)
    -> [Value]?
  {
    guard let last = axes.last else { return inputs }
    var first = last
    while first > 0, axes.contains(first - 1) { first -= 1 }
    guard first != axes[0] else { return nil }
    let part = try graph.apply(Reduce(function, axes: Array(first...last)), inputs[0], name: location)
    return try graph.add(Reduce(function, axes: axes.filter { $0 < first }), [part], name: location)
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    let dy = try context.firstOutputGradient()
    let (x, y) = (context.node.inputs[0], context.node.outputs[0])
    switch function.kind {
    case .sum:
      return [try graph.apply(Expand(shape: graph.shape(of: x)), dy, name: context.name("dx"))]
    case .maximum, .minimum:
      let chosen = try graph.apply(Elementwise(.equal), x, y, name: context.name("chosen"))
      let count = try graph.apply(Reduce(.sum, axes: axes), chosen, name: context.name("count"))
      let share = try graph.apply(Elementwise(.divide), dy, count, name: context.name("share"))
      return [try graph.apply(Elementwise(.multiply), chosen, share, name: context.name("dx"))]
    case .product:
      throw TesseraError(
        .notDifferentiable, at: context.node.name, expected: "an operation with a gradient", found: name)
    }
  }
}

/// Where the largest element along one dimension is.
///
/// y[o] = the least i, or with `selectsLast` the greatest, of those for which x[..., i, ...] is the largest, or the
/// first NaN
///
/// - x: floating point; y: int64, without the axis.
public struct ArgMax: Operation, Hashable {
  /// The dimension.
  public let axis: Int
  /// Whether the last of equal elements counts.
  public let selectsLast: Bool

  /// Attributes are checked when a graph gets the operation.
  public init(axis: Int, selectsLast: Bool = false) { (self.axis, self.selectsLast) = (axis, selectsLast) }

  public var name: String { "arg_max" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 1...1, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    let shape = inputs[0].shape
    try OperandCheck.attribute(
      (0..<shape.rank).contains(axis), "an axis in 0..<\(shape.rank)", found: "\(axis)", at: location)
    guard shape[axis] > 0 else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "an element to choose along axis \(axis)", found: "\(shape)")
    }
    var dimensions = shape.dimensions
    dimensions.remove(at: axis)
    return [TensorType(Shape(dimensions), .int64)]
  }
}

/// y = x - log(sum of exp x) along one dimension, stable for x of any finite size. x and y have one type.
public struct LogSoftmax: Operation, Hashable {
  /// The dimension.
  public let axis: Int

  /// Attributes are checked when a graph gets the operation.
  public init(axis: Int) { self.axis = axis }

  public var name: String { "log_softmax" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    _ = try Reduce(.maximum, axes: [axis]).outputTypes(inputs, at: location)
    return inputs
  }

  public func decompose(_ inputs: [Value], in graph: inout Graph, at location: String) throws(TesseraError)
    -> [Value]?
  {
    let largest = try graph.apply(Reduce(.maximum, axes: [axis]), inputs[0], name: "\(location).max")
    let shifted = try graph.apply(Elementwise(.subtract), inputs[0], largest, name: "\(location).shift")
    let powers = try graph.apply(MapElements(.exponential), shifted, name: "\(location).exp")
    let sum = try graph.apply(Reduce(.sum, axes: [axis]), powers, name: "\(location).sum")
    let log = try graph.apply(MapElements(.logarithm), sum, name: "\(location).log")
    return [try graph.apply(Elementwise(.subtract), shifted, log, name: location)]
  }
}

extension Graph {
  /// The mean over some dimensions, which keep size 1; NaN of no elements.
  package mutating func mean(_ value: Value, axes: [Int], name: String) throws(TesseraError) -> Value {
    let sum = try apply(Reduce(.sum, axes: axes), value, name: "\(name).sum")
    let count = axes.reduce(1) { $0 * shape(of: value)[$1] }
    guard count > 0 else {
      let zero = try addConstant([0], TensorType(.scalar, type(of: value).element))
      return try apply(Elementwise(.divide), sum, zero, name: name)
    }
    return count == 1 ? sum : try apply(Affine(factor: 1 / Double(count)), sum, name: name)
  }
}
