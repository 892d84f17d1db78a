import TesseraGraph

extension Operators {
  static let reductions: [String: Handler] = [
    "ReduceSum": { (i, n) throws(TesseraError) in [try i.reduction(n, .sum)] },
    "ReduceMax": { (i, n) throws(TesseraError) in [try i.reduction(n, .maximum)] },
    "ReduceMin": { (i, n) throws(TesseraError) in [try i.reduction(n, .minimum)] },
    "ReduceProd": { (i, n) throws(TesseraError) in [try i.reduction(n, .product)] },
    "ReduceMean": { (i, n) throws(TesseraError) in
      let (axes, keeps) = try reducedAxes(n)
      return [try i.reduceMean(n.input(0), axes: axes, keeps: keeps, n)]
    },
    "ReduceL1": { (i, n) throws(TesseraError) in
      let x = try n.input(0)
      let value = try i.graph.apply(MapElements(.absolute), i.floats(x, n), name: "\(n.name).abs")
      return [try i.reduction(n, .sum, of: x.replacing(value))]
    },
    "ReduceSumSquare": { (i, n) throws(TesseraError) in [try i.reduction(n, .sum, of: i.square(n.input(0), n))] },
    "ReduceL2": { (i, n) throws(TesseraError) in
      let sum = try i.reduction(n, .sum, of: i.square(n.input(0), n))
      return [sum.replacing(try i.graph.apply(MapElements(.squareRoot), i.anyOrder(sum), name: n.name))]
    },
    "ReduceLogSum": { (i, n) throws(TesseraError) in
      let sum = try i.reduction(n, .sum)
      return [sum.replacing(try i.graph.apply(MapElements(.logarithm), i.anyOrder(sum), name: n.name))]
    },
    "ReduceLogSumExp": { (i, n) throws(TesseraError) in [try i.reduceLogSumExp(n)] },
    "ArgMax": { (i, n) throws(TesseraError) in [try i.argMax(n)] },
  ]

  /// The axes of a reduction, ascending, and whether they stay with size 1.
  static func reducedAxes(_ node: NodeReader) throws(TesseraError) -> (axes: [Int], keeps: Bool) {
    let rank = try node.input(0).rank
    let given = try node.integers(1, or: "axes") ?? []
    let keeps = try node.flag("keepdims", else: true)
    if given.isEmpty { return (try node.flag("noop_with_empty_axes") ? [] : Array(0..<rank), keeps) }
    return (try node.axes(given, rank: rank), keeps)
  }
}

extension Importer {
  fileprivate mutating func reduction(_ node: NodeReader, _ function: ReductionFunction, of x: Imported? = nil)
    throws(TesseraError) -> Imported
  {
    let (axes, keeps) = try Operators.reducedAxes(node)
    var operand = x
    if operand == nil { operand = try node.input(0) }
    guard let operand else { throw node.error(.notFound, "input 0", expected: "an operand", found: "none") }
    return try reduce(function, operand, axes: axes, keeps: keeps, node)
  }

  /// The value as it is stored, with flattened images unfolded.
  fileprivate mutating func floats(_ x: Imported, _ node: NodeReader) throws(TesseraError) -> Value {
    try requireFloats([x], node)
    return try anyOrder(x)
  }

  fileprivate mutating func square(_ x: Imported, _ node: NodeReader) throws(TesseraError) -> Imported {
    let value = try floats(x, node)
    return x.replacing(try graph.apply(Multiply(), value, value, name: "\(node.name).square"))
  }

  mutating func reduce(
    _ function: ReductionFunction, _ x: Imported, axes: [Int], keeps: Bool, _ node: NodeReader
  ) throws(TesseraError) -> Imported {
    try requireFloats([x], node)
    let x = try unfolded(x)
    let value = try anyOrder(x)
    let y =
      axes.isEmpty
      ? value
      : try graph.apply(Reduce(function, axes: axes.map(x.stored).sorted()), value, name: node.name)
    return try withoutAxes(y, of: x, axes, keeps: keeps, node)
  }

  mutating func reduceMean(_ x: Imported, axes: [Int], keeps: Bool, _ node: NodeReader) throws(TesseraError)
    -> Imported
  {
    try requireFloats([x], node)
    let x = try unfolded(x)
    let value = try anyOrder(x)
    let y = axes.isEmpty ? value : try graph.mean(value, axes: axes.map(x.stored).sorted(), name: node.name)
    return try withoutAxes(y, of: x, axes, keeps: keeps, node)
  }

  /// A flattened image in the order of ONNX, anything else as it is.
  mutating func unfolded(_ x: Imported) throws(TesseraError) -> Imported {
    x.isFlattened ? Imported(x.name, try value(x), shape: x.shape) : x
  }

  /// What a reduction that keeps its axes is, with them or without.
  private mutating func withoutAxes(
    _ y: Value, of x: Imported, _ axes: [Int], keeps: Bool, _ node: NodeReader
  ) throws(TesseraError) -> Imported {
    if keeps {
      let shape = x.shape.indices.map { axes.contains($0) ? 1 : x.shape[$0] }
      return Imported(node.name, y, shape: shape, order: x.order)
    }
    let kept = x.shape.indices.filter { !axes.contains($0) }
    let order = x.order.compactMap { kept.firstIndex(of: $0) }
    let shape = kept.map { x.shape[$0] }
    let target = Shape(order.map { shape[$0] })
    return Imported(node.name, try graph.reshape(y, to: target, name: node.name), shape: shape, order: order)
  }

  fileprivate mutating func reduceLogSumExp(_ node: NodeReader) throws(TesseraError) -> Imported {
    let (axes, keeps) = try Operators.reducedAxes(node)
    let x = try unfolded(node.input(0))
    try requireFloats([x], node)
    let value = try anyOrder(x)
    let stored = axes.map(x.stored).sorted()
    let largest = try graph.apply(Reduce(.maximum, axes: stored), value, name: "\(node.name).max")
    let shifted = try graph.apply(Elementwise(.subtract), value, largest, name: "\(node.name).shift")
    let powers = try graph.apply(MapElements(.exponential), shifted, name: "\(node.name).exp")
    let sum = try graph.apply(Reduce(.sum, axes: stored), powers, name: "\(node.name).sum")
    let log = try graph.apply(MapElements(.logarithm), sum, name: "\(node.name).log")
    let y = try graph.apply(Add(), log, largest, name: node.name)
    return try withoutAxes(y, of: x, axes, keeps: keeps, node)
  }

  fileprivate mutating func argMax(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try unfolded(node.input(0))
    try requireFloats([x], node)
    let axis = try node.axis(try node.integer("axis", else: 0), rank: x.rank)
    let operation = ArgMax(axis: x.stored(axis), selectsLast: try node.flag("select_last_index"))
    let places = try graph.apply(operation, anyOrder(x), name: node.name)
    let keeps = try node.flag("keepdims", else: true)
    let target = Shape(x.order.filter { keeps || $0 != axis }.map { $0 == axis ? 1 : x.shape[$0] })
    return try withoutAxes(
      graph.reshape(places, to: target, name: node.name), of: x, [axis], keeps: keeps, node)
  }
}
