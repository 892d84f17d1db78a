/// A function of two numbers that ``Elementwise`` applies.
public struct BinaryFunction: Hashable, Sendable, CustomStringConvertible {
  package enum Kind: String, Hashable, Sendable {
    case add, subtract, multiply, divide, power, maximum, minimum, equal
    case slopeBelowZero = "slope_below_zero"
    case leak = "prelu"
  }

  package let kind: Kind

  /// a + b
  public static let add = BinaryFunction(kind: .add)
  /// a - b
  public static let subtract = BinaryFunction(kind: .subtract)
  /// a b
  public static let multiply = BinaryFunction(kind: .multiply)
  /// a / b
  public static let divide = BinaryFunction(kind: .divide)
  /// a to the power of b; NaN for a below 0 and b that isn't whole.
  public static let power = BinaryFunction(kind: .power)
  /// The larger; NaN if one is.
  public static let maximum = BinaryFunction(kind: .maximum)
  /// The smaller; NaN if one is.
  public static let minimum = BinaryFunction(kind: .minimum)
  /// 1 where a and b are equal, else 0.
  public static let equal = BinaryFunction(kind: .equal)
  /// a where it is at least 0, else a b: b is a slope. Source: He et al., "Delving deep into rectifiers" (2015).
  public static let prelu = BinaryFunction(kind: .leak)
  /// The derivative of ``prelu`` with respect to a: 1 where a is at least 0, else b.
  static let slopeBelowZero = BinaryFunction(kind: .slopeBelowZero)

  public var description: String { kind.rawValue }
}

/// y = f(a, b), element by element, where a dimension of size 1, or one that is missing in front, is repeated.
///
/// - a, b: floating point of one type, shapes that fit as in NumPy; y: each dimension the larger.
/// - Gradients: those of f, summed over what was repeated; none through comparisons.
/// - Source: https://numpy.org/doc/stable/user/basics.broadcasting.html
public struct Elementwise: Operation, Hashable {
  /// What is applied to each pair.
  public let function: BinaryFunction

  /// A function applied to all pairs of elements.
  public init(_ function: BinaryFunction) { self.function = function }

  public var name: String { "\(function)" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 2...2, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    return [
      TensorType(try inputs[0].shape.broadcast(with: inputs[1].shape, at: location), inputs[0].element)
    ]
  }

  /// Operands of one shape take the operations that kernels of products take in.
  public func decompose(_ inputs: [Value], in graph: inout Graph, at location: String) throws(TesseraError)
    -> [Value]?
  {
    guard graph.shape(of: inputs[0]) == graph.shape(of: inputs[1]) else { return nil }
    switch function.kind {
    case .add: return try graph.add(Add(), inputs, name: location)
    case .subtract: return try graph.add(Subtract(), inputs, name: location)
    case .multiply: return try graph.add(Multiply(), inputs, name: location)
    default: return nil
    }
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    let dy = try context.firstOutputGradient()
    let (a, b, y) = (context.node.inputs[0], context.node.inputs[1], context.node.outputs[0])
    func apply(_ function: BinaryFunction, _ x: Value, _ y: Value, _ name: String) throws(TesseraError) -> Value {
      try graph.apply(Elementwise(function), x, y, name: context.name(name))
    }
    var (da, db): (Value?, Value?) = (nil, nil)
    switch function.kind {
    case .add: (da, db) = (dy, dy)
    case .subtract:
      da = dy
      if context.isNeeded(1) { db = try graph.apply(Affine(factor: -1), dy, name: context.name("negative")) }
    case .multiply:
      if context.isNeeded(0) { da = try apply(.multiply, dy, b, "dy_b") }
      if context.isNeeded(1) { db = try apply(.multiply, dy, a, "dy_a") }
    case .divide:
      let quotient = try apply(.divide, dy, b, "dy_over_b")
      da = quotient
      if context.isNeeded(1) {
        let product = try apply(.multiply, quotient, y, "product")
        db = try graph.apply(Affine(factor: -1), product, name: context.name("negative"))
      }
    case .power:
      if context.isNeeded(0) {
        let exponent = try graph.apply(Affine(factor: 1, offset: -1), b, name: context.name("exponent"))
        let slope = try apply(.multiply, try apply(.power, a, exponent, "power"), b, "slope")
        da = try apply(.multiply, dy, slope, "dy_slope")
      }
      if context.isNeeded(1) {
        let log = try graph.apply(MapElements(.logarithm), a, name: context.name("log"))
        db = try apply(.multiply, try apply(.multiply, dy, y, "dy_y"), log, "dy_y_log")
      }
    case .maximum, .minimum:
      // a's where it is the result, b's where a isn't.
      let chosen = try apply(.multiply, dy, try apply(.equal, a, y, "chosen"), "dy_chosen")
      da = chosen
      if context.isNeeded(1) { db = try apply(.subtract, dy, chosen, "dy_other") }
    case .leak:
      if context.isNeeded(0) { da = try apply(.multiply, dy, try apply(.slopeBelowZero, a, b, "slope"), "dy_slope") }
      if context.isNeeded(1) {
        let zero = try graph.addConstant([0], TensorType(.scalar, graph.type(of: a).element))
        db = try apply(.multiply, dy, try apply(.minimum, a, zero, "negative"), "dy_negative")
      }
    case .equal, .slopeBelowZero: return [nil, nil]
    }
    return [
      try sum(da, to: a, context, 0, in: &graph), try sum(db, to: b, context, 1, in: &graph),
    ]
  }

  private func sum(
    _ gradient: Value?, to operand: Value, _ context: GradientContext, _ index: Int, in graph: inout Graph
  ) throws(TesseraError) -> Value? {
    guard context.isNeeded(index), let gradient else { return nil }
    return try graph.sum(gradient, to: graph.shape(of: operand), name: context.name("d\(index)"))
  }
}

/// y = x repeated along dimensions of size 1, and along new ones in front.
///
/// - x: any type; y: `shape`. Gradient: the sum of dy over what was repeated.
public struct Expand: Operation, Hashable {
  /// The shape of the result.
  public let shape: Shape

  /// Attributes are checked when a graph gets the operation.
  public init(shape: Shape) { self.shape = shape }

  public var name: String { "expand" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 1...1, at: location)
    guard try inputs[0].shape.broadcast(with: shape, at: location) == shape else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "a shape that \(inputs[0].shape) can be repeated to", found: "\(shape)")
    }
    return [TensorType(shape, inputs[0].element)]
  }

  public func decompose(_ inputs: [Value], in graph: inout Graph, at location: String) throws(TesseraError)
    -> [Value]?
  {
    let x = graph.shape(of: inputs[0])
    let aligned = try graph.reshape(inputs[0], to: x.aligned(to: shape.rank), name: location)
    let axes = zip(graph.shape(of: aligned).dimensions, shape.dimensions).map { from, to in
      from == to ? AxisSelection.all : .repeated(to)
    }
    return axes.allSatisfy { $0 == .all }
      ? [aligned] : try graph.add(Select(axes), [aligned], name: location)
  }
}

extension Shape {
  /// The shape of a function of pairs of elements: sizes are equal, or one of them is 1 or missing in front.
  package func broadcast(with other: Shape, at location: String) throws(TesseraError) -> Shape {
    let rank = max(rank, other.rank)
    var result: [Int] = []
    for (a, b) in zip(aligned(to: rank).dimensions, other.aligned(to: rank).dimensions) {
      guard a == b || a == 1 || b == 1 else {
        throw TesseraError(
          .shapeMismatch, at: location, expected: "shapes of equal sizes, or of size 1", found: "\(self) and \(other)")
      }
      result.append(a == 1 ? b : a)
    }
    return Shape(result)
  }

  /// The same elements under a higher rank: sizes of 1 in front.
  package func aligned(to rank: Int) -> Shape {
    Shape(Array(repeating: 1, count: max(0, rank - self.rank)) + dimensions)
  }
}

extension Graph {
  /// The same elements under another shape; the value itself where it has that already.
  package mutating func reshape(_ value: Value, to shape: Shape, name: String) throws(TesseraError) -> Value {
    if self.shape(of: value) == shape { return value }
    return try apply(ReshapeOperation(shape: shape), value, name: "\(name).reshape")
  }

  /// The sum over the dimensions along which an operand of a shape was repeated.
  mutating func sum(_ value: Value, to shape: Shape, name: String) throws(TesseraError) -> Value {
    let from = self.shape(of: value)
    if from == shape { return value }
    let aligned = shape.aligned(to: from.rank)
    let axes = (0..<from.rank).filter { aligned[$0] != from[$0] }
    let sum = axes.isEmpty ? value : try apply(Reduce(.sum, axes: axes), value, name: name)
    return try reshape(sum, to: shape, name: name)
  }
}
