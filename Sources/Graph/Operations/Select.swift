/// Which coordinates of one dimension ``Select`` takes.
public struct AxisSelection: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    case all
    case repeated(Int)
    case strided(first: Int, step: Int, count: Int)
    case indices([Int])
  }

  package let kind: Kind

  /// Every coordinate once.
  public static let all = AxisSelection(kind: .all)
  /// The only coordinate of a dimension of size 1, so often.
  public static func repeated(_ count: Int) -> AxisSelection { AxisSelection(kind: .repeated(count)) }
  /// first, first + step, ...: `count` of them; the step may be negative.
  public static func strided(first: Int, step: Int, count: Int) -> AxisSelection {
    AxisSelection(kind: .strided(first: first, step: step, count: count))
  }
  /// These coordinates; -1 stands for the filler.
  public static func indices(_ indices: [Int]) -> AxisSelection { AxisSelection(kind: .indices(indices)) }

  /// Tables of coordinates aren't longer than this.
  package static let longestTable = 1 << 20

  /// The size of the result.
  package func count(of size: Int) -> Int {
    switch kind {
    case .all: size
    case .repeated(let count), .strided(_, _, let count): count
    case .indices(let indices): indices.count
    }
  }

  fileprivate func isValid(for size: Int) -> Bool {
    switch kind {
    case .all: return true
    case .repeated(let count): return size == 1 && count >= 0
    case .strided(let first, let step, let count):
      guard count > 0 else { return count == 0 }
      let (way, overflow) = (count - 1).multipliedReportingOverflow(by: step)
      let (last, overflowToo) = first.addingReportingOverflow(way)
      return !overflow && !overflowToo && (0..<size).contains(first) && (0..<size).contains(last)
    case .indices(let indices):
      return indices.count <= Self.longestTable && indices.allSatisfy { -1..<size ~= $0 }
    }
  }

  /// The coordinates as a list, for a table or a gradient.
  package func coordinates(of size: Int) -> [Int] {
    switch kind {
    case .all: Array(0..<size)
    case .repeated(let count): Array(repeating: 0, count: count)
    case .strided(let first, let step, let count): (0..<count).map { first + $0 * step }
    case .indices(let indices): indices
    }
  }
}

/// Elements at chosen coordinates: slices with any step, tensors repeated, padded or mirrored, rows in another order,
/// images enlarged to the nearest pixel.
///
/// y[i0, i1, ...] = x[s0[i0], s1[i1], ...], s the selection of each dimension; `filler` where one of them is -1.
///
/// - x: any type; y: sizes of the selections.
/// - Gradient: each element the sum of dy where it was taken (``SelectGradient``).
public struct Select: Operation, Hashable {
  /// One for each dimension.
  public let axes: [AxisSelection]
  /// What stands where nothing was chosen.
  public let filler: Double

  /// Attributes are checked when a graph gets the operation.
  public init(_ axes: [AxisSelection], filler: Double = 0) { (self.axes, self.filler) = (axes, filler) }

  public var name: String { "select" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 1...1, at: location)
    let shape = inputs[0].shape
    try OperandCheck.attribute(
      axes.count == shape.rank && zip(axes, shape.dimensions).allSatisfy { $0.isValid(for: $1) },
      "coordinates of \(shape) for each dimension", found: "others", at: location)
    return [TensorType(Shape(zip(axes, shape.dimensions).map { $0.count(of: $1) }), inputs[0].element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    let dy = try context.firstOutputGradient()
    let shape = graph.shape(of: context.node.inputs[0])
    let isExpansion = axes.allSatisfy { axis in
      switch axis.kind {
      case .all, .repeated: true
      case .strided, .indices: false
      }
    }
    if isExpansion { return [try graph.sum(dy, to: shape, name: context.name("dx"))] }
    return [
      try graph.apply(SelectGradient(axes, shape: shape), dy, name: context.name("dx"))
    ]
  }
}

/// dx of ``Select``: dx[j] = the sum of dy[i] over all i for which x[j] was taken.
///
/// - dy: sizes of the selections; dx: `shape`.
/// - Gradient: the selection itself.
public struct SelectGradient: Operation, Hashable {
  /// One for each dimension.
  public let axes: [AxisSelection]
  /// Of what was selected from.
  public let shape: Shape

  /// Attributes are checked when a graph gets the operation.
  public init(_ axes: [AxisSelection], shape: Shape) { (self.axes, self.shape) = (axes, shape) }

  public var name: String { "select_gradient" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 1...1, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    let x = TensorType(shape, inputs[0].element)
    try OperandCheck.equal(inputs[0], try Select(axes).outputTypes([x], at: location)[0], "dy", at: location)
    return [x]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    [try graph.apply(Select(axes), context.firstOutputGradient(), name: context.name("ddy"))]
  }
}
