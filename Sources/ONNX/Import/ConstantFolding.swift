import TesseraGraph

/// What exporters compute of shapes and constants: evaluated while a model is read, so that it costs nothing in a run.
enum ConstantFolding {
  typealias Rule = @Sendable (NodeReader, [HostTensor]) throws(TesseraError) -> [HostTensor]

  static let operators: Set<String> = Set(rules.keys).union(["Constant", "Shape", "Size"])

  /// The node's results if its operands are known; nil if it belongs into the graph.
  /// - Parameter budget: elements that may still be made.
  static func fold(_ node: NodeReader, budget: inout Int) throws(TesseraError) -> [HostTensor]? {
    switch node.proto.opType {
    case "Constant": return [try constant(node)]
    case "Shape": return [try shape(node)]
    case "Size":
      let count = try node.input(0).count
      return [HostTensor(integers: [count], shape: [])]
    default: break
    }
    guard let rule = rules[node.proto.opType] else { return nil }
    var operands: [HostTensor] = []
    for input in node.inputs {
      guard let input else {
        // Nothing, in the place of an operand that may be missing.
        operands.append(HostTensor(integers: []))
        continue
      }
      guard let tensor = input.constant else { return nil }
      operands.append(tensor)
    }
    guard !operands.isEmpty else { return nil }
    // What stays differentiable by its parameters is for the graph.
    if Operators.handlers[node.proto.opType] != nil, operands.contains(where: { $0.count > 4096 }),
      operands.contains(where: { $0.integers == nil })
    {
      return nil
    }
    let results = try rule(node, operands)
    for result in results { budget -= result.count }
    try node.require(
      budget >= 0, .unsupported, "result", "constants of a size that the file justifies",
      found: "\(results.map { Shape($0.shape).description }.joined(separator: ", "))")
    return results
  }

  private static func constant(_ node: NodeReader) throws(TesseraError) -> HostTensor {
    if let tensor = try node.tensor("value") { return tensor }
    if let integer = try node.integer("value_int") { return HostTensor(integers: [integer], shape: []) }
    if let integers = try node.integers("value_ints") { return HostTensor(integers: integers) }
    if node.has("value_float") { return .scalar(try node.number("value_float", else: 0)) }
    if let numbers = try node.numbers("value_floats") { return HostTensor(.float, [numbers.count], .floats(numbers)) }
    throw node.error(.unsupported, "attributes", expected: "a tensor, numbers or integers", found: "another value")
  }

  private static func shape(_ node: NodeReader) throws(TesseraError) -> HostTensor {
    let shape = try node.input(0).shape
    func place(_ axis: Int) -> Int { min(max(axis < 0 ? axis + shape.count : axis, 0), shape.count) }
    let start = place(try node.integer("start", else: 0))
    let end = place(try node.integer("end", else: shape.count))
    return HostTensor(integers: start < end ? Array(shape[start..<end]) : [])
  }

  private static let rules: [String: Rule] = [
    "Identity": { (_, x) throws(TesseraError) in [x[0]] },
    "Add": { (n, x) throws(TesseraError) in [try pairs(n, x, { $0 &+ $1 }, +)] },
    "Sub": { (n, x) throws(TesseraError) in [try pairs(n, x, { $0 &- $1 }, -)] },
    "Mul": { (n, x) throws(TesseraError) in [try pairs(n, x, { $0 &* $1 }, *)] },
    "Div": { (n, x) throws(TesseraError) in
      try n.require(
        x.count < 2 || x[1].integers?.contains(0) != true, .invalidData, "input 1", "a divisor other than 0", found: "0"
      )
      return [try pairs(n, x, { $0.dividedReportingOverflow(by: $1).partialValue }, /)]
    },
    "Mod": { (n, x) throws(TesseraError) in
      try n.require(
        x.count == 2 && x[1].integers?.contains(0) != true, .invalidData, "input 1", "a divisor other than 0",
        found: "0")
      let truncates = try n.flag("fmod")
      return [try pairs(n, x, { modulo($0, $1, truncates) }, { $0.truncatingRemainder(dividingBy: $1) })]
    },
    "Min": { (n, x) throws(TesseraError) in [try pairs(n, x, min, min)] },
    "Max": { (n, x) throws(TesseraError) in [try pairs(n, x, max, max)] },
    "Equal": { (n, x) throws(TesseraError) in [try comparison(n, x, ==, ==)] },
    "Less": { (n, x) throws(TesseraError) in [try comparison(n, x, <, <)] },
    "LessOrEqual": { (n, x) throws(TesseraError) in [try comparison(n, x, <=, <=)] },
    "Greater": { (n, x) throws(TesseraError) in [try comparison(n, x, >, >)] },
    "GreaterOrEqual": { (n, x) throws(TesseraError) in [try comparison(n, x, >=, >=)] },
    "And": { (n, x) throws(TesseraError) in [try comparison(n, x, { $0 != 0 && $1 != 0 }, { _, _ in false })] },
    "Or": { (n, x) throws(TesseraError) in [try comparison(n, x, { $0 != 0 || $1 != 0 }, { _, _ in false })] },
    "Not": { (n, x) throws(TesseraError) in [map(x[0], { $0 == 0 ? 1 : 0 }, { $0 })] },
    "Neg": { (n, x) throws(TesseraError) in [map(x[0], { 0 &- $0 }, { -$0 })] },
    "Abs": { (n, x) throws(TesseraError) in [map(x[0], { $0 < 0 ? 0 &- $0 : $0 }, abs)] },
    "Floor": { (n, x) throws(TesseraError) in [map(x[0], { $0 }, { $0.rounded(.down) })] },
    "Ceil": { (n, x) throws(TesseraError) in [map(x[0], { $0 }, { $0.rounded(.up) })] },
    "Sqrt": { (n, x) throws(TesseraError) in [map(x[0], { $0 }, { $0.squareRoot() })] },
    "Cast": { (n, x) throws(TesseraError) in
      [try cast(n, x[0], to: HostTensor.ElementKind(rawValue: n.integer("to", else: 0)))]
    },
    "CastLike": { (n, x) throws(TesseraError) in [try cast(n, x[0], to: x.last?.kind)] },
    "Where": { (n, x) throws(TesseraError) in [try choose(n, x)] },
    "Range": { (n, x) throws(TesseraError) in [try range(n, x)] },
    "ConstantOfShape": { (n, x) throws(TesseraError) in [try filled(n)] },
    "Gather": { (n, x) throws(TesseraError) in [try gather(n, x)] },
    "Concat": { (n, x) throws(TesseraError) in [try concatenate(n, x)] },
    "Slice": { (n, x) throws(TesseraError) in [try slice(n, x[0])] },
    "Reshape": { (n, x) throws(TesseraError) in [x[0].reshaped(try Operators.reshapedShape(n))] },
    "Flatten": { (n, x) throws(TesseraError) in [x[0].reshaped(try Operators.flattenedShape(n))] },
    "Squeeze": { (n, x) throws(TesseraError) in [x[0].reshaped(try Operators.squeezedShape(n))] },
    "Unsqueeze": { (n, x) throws(TesseraError) in [x[0].reshaped(try Operators.unsqueezedShape(n))] },
    "Transpose": { (n, x) throws(TesseraError) in [x[0].permuted(try Operators.permutation(n))] },
    "Expand": { (n, x) throws(TesseraError) in [try expanded(n, x[0], to: try Operators.expandedShape(n))] },
    "ReduceProd": { (n, x) throws(TesseraError) in [try reduce(n, x[0], { $0 &* $1 }, *)] },
    "ReduceSum": { (n, x) throws(TesseraError) in [try reduce(n, x[0], { $0 &+ $1 }, +)] },
    "ReduceMax": { (n, x) throws(TesseraError) in [try reduce(n, x[0], max, max)] },
    "ReduceMin": { (n, x) throws(TesseraError) in [try reduce(n, x[0], min, min)] },
  ]

  // MARK: Elements

  private static func modulo(_ a: Int64, _ b: Int64, _ truncates: Bool) -> Int64 {
    let remainder = a.remainderReportingOverflow(dividingBy: b).partialValue
    return truncates || remainder == 0 || (remainder < 0) == (b < 0) ? remainder : remainder + b
  }

  private static func map(
    _ x: HostTensor, _ integers: (Int64) -> Int64, _ numbers: (Double) -> Double
  ) -> HostTensor {
    let elements: HostTensor.Elements =
      switch x.elements {
      case .integers(let elements): .integers(elements.map(integers))
      case .floats(let elements): .floats(elements.map { Float(numbers(Double($0))) })
      case .doubles(let elements): .doubles(elements.map(numbers))
      }
    return HostTensor(x.kind, x.shape, elements)
  }

  /// All operands under the shape of the result.
  private static func broadcast(_ node: NodeReader, _ x: [HostTensor]) throws(TesseraError) -> [HostTensor] {
    try node.require(!x.isEmpty, .invalidFile, "inputs", "operands", found: "none")
    var shape = Shape.scalar
    for operand in x { shape = try shape.broadcast(with: Shape(operand.shape), at: node.location) }
    var result: [HostTensor] = []
    for operand in x { result.append(try expanded(node, operand, to: shape.dimensions)) }
    return result
  }

  private static func expanded(_ node: NodeReader, _ x: HostTensor, to shape: [Int]) throws(TesseraError)
    -> HostTensor
  {
    try Shape(shape).validate(at: node.location)
    try node.require(
      Shape(shape).count <= max(1 << 20, x.count), .unsupported, "result", "at most \(1 << 20) constants computed",
      found: "\(Shape(shape))")
    if x.shape == shape { return x }
    let aligned = Shape(x.shape).aligned(to: shape.count).dimensions
    var strides = HostTensor.strides(aligned)
    for axis in aligned.indices where aligned[axis] == 1 { strides[axis] = 0 }
    return x.gathered(shape, strides: strides)
  }

  private static func pairs(
    _ node: NodeReader, _ x: [HostTensor], _ integers: (Int64, Int64) -> Int64, _ numbers: (Double, Double) -> Double
  ) throws(TesseraError) -> HostTensor {
    let operands = try broadcast(node, x)
    var result = operands[0]
    for operand in operands.dropFirst() {
      switch (result.elements, operand.elements) {
      case (.integers(let a), .integers(let b)):
        result = HostTensor(result.kind, result.shape, .integers(zip(a, b).map(integers)))
      case (.floats(let a), .floats(let b)):
        let sums = zip(a, b).map { Float(numbers(Double($0), Double($1))) }
        result = HostTensor(result.kind, result.shape, .floats(sums))
      case (.doubles(let a), .doubles(let b)):
        result = HostTensor(result.kind, result.shape, .doubles(zip(a, b).map(numbers)))
      default:
        throw node.error(
          .elementTypeMismatch, "inputs", expected: "one element type", found: "\(result.kind) and \(operand.kind)")
      }
    }
    return result
  }

  private static func comparison(
    _ node: NodeReader, _ x: [HostTensor], _ integers: (Int64, Int64) -> Bool, _ numbers: (Double, Double) -> Bool
  ) throws(TesseraError) -> HostTensor {
    try node.require(x.count == 2, .invalidFile, "inputs", "2 operands", found: "\(x.count)")
    let operands = try broadcast(node, x)
    let shape = operands[0].shape
    let truths: [Bool] =
      if case (.integers(let a), .integers(let b)) = (operands[0].elements, operands[1].elements) {
        zip(a, b).map(integers)
      } else {
        zip(operands[0].doubles, operands[1].doubles).map(numbers)
      }
    return HostTensor(.bool, shape, .integers(truths.map { $0 ? 1 : 0 }))
  }

  private static func cast(_ node: NodeReader, _ x: HostTensor, to kind: HostTensor.ElementKind?)
    throws(TesseraError) -> HostTensor
  {
    guard let kind else {
      throw node.error(.invalidAttribute, "attribute to", expected: "an element type", found: "another number")
    }
    switch kind {
    case .float: return HostTensor(kind, x.shape, .floats(x.doubles.map { Float($0) }))
    case .double: return HostTensor(kind, x.shape, .doubles(x.doubles))
    case .bool: return HostTensor(kind, x.shape, .integers(x.doubles.map { $0 != 0 ? 1 : 0 }))
    case .int64, .int32, .uint8, .int8, .int16, .uint16, .uint32:
      if case .integers = x.elements { return HostTensor(kind, x.shape, x.elements) }
      let integers = x.doubles.map { Int64(exactly: $0.rounded(.towardZero)) ?? ($0 < 0 ? .min : .max) }
      return HostTensor(kind, x.shape, .integers(integers))
    default:
      throw node.error(
        .unsupported, "attribute to", expected: "float32, float64, integers or bool", found: "\(kind)")
    }
  }

  private static func choose(_ node: NodeReader, _ x: [HostTensor]) throws(TesseraError) -> HostTensor {
    try node.require(x.count == 3, .invalidFile, "inputs", "3 operands", found: "\(x.count)")
    let operands = try broadcast(node, x)
    guard case .integers(let conditions) = operands[0].elements else {
      throw node.error(.elementTypeMismatch, "input 0", expected: "bool", found: "\(operands[0].kind)")
    }
    let (a, b) = (operands[1], operands[2])
    func chosen<T>(_ a: [T], _ b: [T]) -> [T] { conditions.indices.map { conditions[$0] != 0 ? a[$0] : b[$0] } }
    switch (a.elements, b.elements) {
    case (.integers(let x), .integers(let y)): return HostTensor(a.kind, a.shape, .integers(chosen(x, y)))
    case (.floats(let x), .floats(let y)): return HostTensor(a.kind, a.shape, .floats(chosen(x, y)))
    case (.doubles(let x), .doubles(let y)): return HostTensor(a.kind, a.shape, .doubles(chosen(x, y)))
    default:
      throw node.error(
        .elementTypeMismatch, "inputs", expected: "one element type", found: "\(a.kind) and \(b.kind)")
    }
  }

  // MARK: Making

  private static func range(_ node: NodeReader, _ x: [HostTensor]) throws(TesseraError) -> HostTensor {
    try node.require(
      x.count == 3 && x.allSatisfy { $0.count == 1 }, .shapeMismatch, "inputs", "start, limit and delta",
      found: "\(x.map { Shape($0.shape).description })")
    let (start, limit, delta) = (x[0].doubles[0], x[1].doubles[0], x[2].doubles[0])
    let count = delta == 0 ? .infinity : max(0, ((limit - start) / delta).rounded(.up))
    try node.require(
      count <= Double(1 << 20), .unsupported, "result", "at most \(1 << 20) constants computed", found: "\(count)")
    if case (.integers(let start), .integers(let delta)) = (x[0].elements, x[2].elements) {
      let integers = (0..<Int64(count)).map { start[0] &+ $0 &* delta[0] }
      return HostTensor(x[0].kind, [integers.count], .integers(integers))
    }
    let numbers = (0..<Int(count)).map { start + Double($0) * delta }
    return try retyped(node, HostTensor(.double, [numbers.count], .doubles(numbers)), like: x[0])
  }

  private static func retyped(_ node: NodeReader, _ x: HostTensor, like other: HostTensor) throws(TesseraError)
    -> HostTensor
  {
    switch other.elements {
    case .floats: HostTensor(other.kind, x.shape, .floats(x.doubles.map { Float($0) }))
    case .doubles: HostTensor(other.kind, x.shape, .doubles(x.doubles))
    case .integers:
      throw node.error(.elementTypeMismatch, "inputs", expected: "one element type", found: "several")
    }
  }

  private static func filled(_ node: NodeReader) throws(TesseraError) -> HostTensor {
    let shape = try node.integers(0) ?? []
    // Not `??`, whose right side can't throw a typed error.
    var value = HostTensor.scalar(0)
    if let given = try node.tensor("value") { value = given }
    try node.require(value.count == 1, .shapeMismatch, "attribute value", "one element", found: "\(value.count)")
    return try expanded(node, value.reshaped([]), to: shape)
  }

  // MARK: Moving

  private static func gather(_ node: NodeReader, _ x: [HostTensor]) throws(TesseraError) -> HostTensor {
    try node.require(x.count == 2, .invalidFile, "inputs", "2 operands", found: "\(x.count)")
    let (data, axis) = (x[0], try node.axis(try node.integer("axis", else: 0), rank: x[0].shape.count))
    guard let indices = x[1].integers else {
      throw node.error(.elementTypeMismatch, "input 1", expected: "integers", found: "\(x[1].kind)")
    }
    let size = data.shape[axis]
    try node.require(
      indices.allSatisfy { (-size..<size).contains($0) }, .invalidData, "input 1", "indices in \(-size)..<\(size)",
      found: "others")
    let shape = Array(data.shape[..<axis]) + x[1].shape + Array(data.shape[(axis + 1)...])
    try Shape(shape).validate(at: node.location)
    try node.require(
      Shape(shape).count <= 1 << 20, .unsupported, "result", "at most \(1 << 20) constants computed",
      found: "\(Shape(shape))")
    let strides = HostTensor.strides(data.shape)
    var places = HostTensor.places(Array(data.shape[..<axis]), first: 0, strides: Array(strides[..<axis]))
    places = places.flatMap { place in indices.map { place + ($0 < 0 ? $0 + size : $0) * strides[axis] } }
    places = places.flatMap { place in (0..<strides[axis]).map { place + $0 } }
    return data.taking(places, shape: shape)
  }

  private static func concatenate(_ node: NodeReader, _ x: [HostTensor]) throws(TesseraError) -> HostTensor {
    try node.require(!x.isEmpty, .invalidFile, "inputs", "operands", found: "none")
    let axis = try node.axis(try node.integer("axis", else: 0), rank: x[0].shape.count)
    var shape = x[0].shape
    shape[axis] = 0
    for operand in x {
      try node.require(
        operand.kind == x[0].kind, .elementTypeMismatch, "inputs", "\(x[0].kind)", found: "\(operand.kind)")
      var rest = operand.shape
      try node.require(rest.count == shape.count, .shapeMismatch, "inputs", "one rank", found: "\(Shape(rest))")
      shape[axis] += rest[axis]
      rest[axis] = shape[axis]
      try node.require(rest == shape, .shapeMismatch, "inputs", "shapes that fit", found: "\(Shape(operand.shape))")
    }
    let rows = shape[..<axis].reduce(1, *)
    var all: HostTensor.Elements
    switch x[0].elements {
    case .floats: all = .floats(joined(x, rows) { if case .floats(let e) = $0 { e } else { [] } })
    case .doubles: all = .doubles(joined(x, rows) { if case .doubles(let e) = $0 { e } else { [] } })
    case .integers: all = .integers(joined(x, rows) { if case .integers(let e) = $0 { e } else { [] } })
    }
    return HostTensor(x[0].kind, shape, all)
  }

  private static func joined<T>(_ x: [HostTensor], _ rows: Int, _ elements: (HostTensor.Elements) -> [T]) -> [T] {
    let parts = x.map { (elements($0.elements), $0.count / max(1, rows)) }
    return (0..<rows).flatMap { row in parts.flatMap { $0.0[row * $0.1..<(row + 1) * $0.1] } }
  }

  private static func slice(_ node: NodeReader, _ x: HostTensor) throws(TesseraError) -> HostTensor {
    let axes = try Operators.slices(node)
    let strides = HostTensor.strides(x.shape)
    let first = zip(axes, strides).reduce(0) { $0 + $1.0.first * $1.1 }
    return x.gathered(
      axes.map(\.count), first: first, strides: zip(axes, strides).map { $0.step * $1 })
  }

  private static func reduce(
    _ node: NodeReader, _ x: HostTensor, _ integers: (Int64, Int64) -> Int64, _ numbers: (Double, Double) -> Double
  ) throws(TesseraError) -> HostTensor {
    let (axes, keeps) = try Operators.reducedAxes(node)
    let kept = x.shape.indices.filter { !axes.contains($0) }
    let count = axes.reduce(1) { $0 * x.shape[$1] }
    try node.require(count > 0, .unsupported, "input 0", "elements to reduce", found: "none")
    let sorted = x.permuted(kept + axes)
    let elements: HostTensor.Elements =
      switch sorted.elements {
      case .integers(let e): .integers(rows(e, count).map { $0.dropFirst().reduce($0[$0.startIndex], integers) })
      case .floats(let e):
        .floats(rows(e.map(Double.init), count).map { Float($0.dropFirst().reduce($0[$0.startIndex], numbers)) })
      case .doubles(let e): .doubles(rows(e, count).map { $0.dropFirst().reduce($0[$0.startIndex], numbers) })
      }
    let shape = keeps ? x.shape.indices.map { axes.contains($0) ? 1 : x.shape[$0] } : kept.map { x.shape[$0] }
    return HostTensor(x.kind, shape, elements)
  }

  private static func rows<T>(_ elements: [T], _ width: Int) -> [ArraySlice<T>] {
    stride(from: 0, to: elements.count, by: width).map { elements[$0..<$0 + width] }
  }
}
