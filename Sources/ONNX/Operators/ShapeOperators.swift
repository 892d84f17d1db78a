import TesseraGraph

extension Operators {
  static let shapes: [String: Handler] = [
    "Reshape": { (i, n) throws(TesseraError) in
      [try i.reshape(n.input(0), to: reshapedShape(n), name: n.name)]
    },
    "Flatten": { (i, n) throws(TesseraError) in
      [try i.reshape(n.input(0), to: flattenedShape(n), name: n.name)]
    },
    "Squeeze": { (i, n) throws(TesseraError) in
      [try i.reshape(n.input(0), to: squeezedShape(n), name: n.name)]
    },
    "Unsqueeze": { (i, n) throws(TesseraError) in
      [try i.reshape(n.input(0), to: unsqueezedShape(n), name: n.name)]
    },
    "Transpose": { (i, n) throws(TesseraError) in
      [try i.unfolded(n.input(0)).transposed(permutation(n))]
    },
    "Concat": { (i, n) throws(TesseraError) in [try i.concatenate(n)] },
    "Split": { (i, n) throws(TesseraError) in try i.split(n) },
    "Slice": { (i, n) throws(TesseraError) in
      [try i.select(n.input(0), slices(n).map { .strided(first: $0.first, step: $0.step, count: $0.count) }, n)]
    },
    "Gather": { (i, n) throws(TesseraError) in [try i.gather(n)] },
    "Pad": { (i, n) throws(TesseraError) in [try i.pad(n)] },
    "Expand": { (i, n) throws(TesseraError) in [try i.expand(n)] },
    "Tile": { (i, n) throws(TesseraError) in [try i.tile(n)] },
    "DepthToSpace": { (i, n) throws(TesseraError) in [try i.depthToSpace(n)] },
    "SpaceToDepth": { (i, n) throws(TesseraError) in [try i.spaceToDepth(n)] },
    "Resize": { (i, n) throws(TesseraError) in [try i.resize(n)] },
    "Upsample": { (i, n) throws(TesseraError) in [try i.resize(n)] },
  ]

  // MARK: Shapes that attributes say

  static func reshapedShape(_ node: NodeReader) throws(TesseraError) -> [Int] {
    let x = try node.input(0)
    guard let wanted = try node.integers(1, or: "shape") else {
      throw node.error(.invalidFile, "input 1", expected: "a shape", found: "none")
    }
    let keepsZero = try node.flag("allowzero")
    var shape: [Int] = []
    for (axis, size) in wanted.enumerated() {
      try node.require(size != 0 || keepsZero || axis < x.rank, "shape", "a size to keep", found: "\(wanted)")
      shape.append(size == 0 && !keepsZero ? x.shape[axis] : size)
    }
    if let rest = shape.firstIndex(of: -1) {
      shape[rest] = 1
      try Shape(shape).validate(at: "\(node.location): shape")
      let known = Shape(shape).count
      try node.require(
        known > 0 && x.count % known == 0, .shapeMismatch, "shape", "sizes that divide \(x.count) elements",
        found: "\(wanted)")
      shape[rest] = x.count / known
    }
    try Shape(shape).validate(at: "\(node.location): shape")
    try node.require(
      Shape(shape).count == x.count, .shapeMismatch, "shape", "\(x.count) elements", found: "\(wanted)")
    return shape
  }

  static func flattenedShape(_ node: NodeReader) throws(TesseraError) -> [Int] {
    let x = try node.input(0)
    var axis = try node.integer("axis", else: 1)
    try node.require((-x.rank...x.rank).contains(axis), "axis", "an axis of \(Shape(x.shape))", found: "\(axis)")
    if axis < 0 { axis += x.rank }
    return [x.shape[..<axis].reduce(1, *), x.shape[axis...].reduce(1, *)]
  }

  static func squeezedShape(_ node: NodeReader) throws(TesseraError) -> [Int] {
    let x = try node.input(0)
    guard let given = try node.integers(1, or: "axes") else { return x.shape.filter { $0 != 1 } }
    let axes = try node.axes(given, rank: x.rank)
    try node.require(
      axes.allSatisfy { x.shape[$0] == 1 }, .shapeMismatch, "axes", "sizes of 1", found: "\(axes) of \(Shape(x.shape))")
    return x.shape.indices.filter { !axes.contains($0) }.map { x.shape[$0] }
  }

  static func unsqueezedShape(_ node: NodeReader) throws(TesseraError) -> [Int] {
    let x = try node.input(0)
    let given = try node.integers(1, or: "axes") ?? []
    let rank = x.rank + given.count
    try node.require(
      rank <= Shape.maximumRank, .invalidShape, "axes", "at most rank \(Shape.maximumRank)", found: "\(rank)")
    let axes = try node.axes(given, rank: rank)
    var rest = x.shape[...]
    return (0..<rank).map { axes.contains($0) ? 1 : rest.popFirst() ?? 1 }
  }

  static func permutation(_ node: NodeReader) throws(TesseraError) -> [Int] {
    let rank = try node.input(0).rank
    let permutation = try node.integers("perm") ?? (0..<rank).reversed()
    try node.require(
      permutation.sorted() == Array(0..<rank), "attribute perm", "a permutation of 0..<\(rank)", found: "\(permutation)"
    )
    return permutation
  }

  static func expandedShape(_ node: NodeReader) throws(TesseraError) -> [Int] {
    let wanted = try node.integers(1) ?? []
    try Shape(wanted).validate(at: "\(node.location): shape")
    return try Shape(node.input(0).shape).broadcast(with: Shape(wanted), at: node.location).dimensions
  }

  /// What a slice takes of each dimension.
  static func slices(_ node: NodeReader) throws(TesseraError) -> [(first: Int, step: Int, count: Int)] {
    let x = try node.input(0)
    guard let starts = try node.integers(1, or: "starts"), let ends = try node.integers(2, or: "ends") else {
      throw node.error(.invalidFile, "inputs", expected: "starts and ends", found: "none")
    }
    let given = try node.integers(3, or: "axes") ?? Array(starts.indices)
    let steps = try node.integers(4) ?? Array(repeating: 1, count: starts.count)
    try node.require(
      starts.count == ends.count && given.count == starts.count && steps.count == starts.count, .shapeMismatch,
      "inputs", "as many starts, ends, axes and steps", found: "\(starts), \(ends), \(given), \(steps)")
    var slices = x.shape.map { (first: 0, step: 1, count: $0) }
    for (index, axis) in given.enumerated() {
      let (axis, step) = (try node.axis(axis, rank: x.rank), steps[index])
      let size = x.shape[axis]
      try node.require(step != 0 && step != .min, "steps", "a step other than 0", found: "\(step)")
      func bounded(_ place: Int, _ range: ClosedRange<Int>) -> Int {
        let counted = place < 0 ? max(place, -size - 1) + size : place
        return min(max(counted, range.lowerBound), range.upperBound)
      }
      if step > 0 {
        let (first, end) = (bounded(starts[index], 0...size), bounded(ends[index], 0...size))
        slices[axis] = (first, step, first < end ? (end - first - 1) / step + 1 : 0)
      } else {
        let range = -1...max(-1, size - 1)
        let (first, end) = (bounded(starts[index], range), bounded(ends[index], range))
        slices[axis] = (max(first, 0), step, first > end ? (first - end - 1) / -step + 1 : 0)
      }
    }
    return slices
  }
}

extension Importer {
  /// A selection of each dimension, in the order of ONNX.
  mutating func select(
    _ x: Imported, _ selections: [AxisSelection], filler: Double = 0, _ node: NodeReader
  ) throws(TesseraError) -> Imported {
    let x = try unfolded(x)
    let value = try anyOrder(x)
    let shape = zip(selections, x.shape).map { $0.count(of: $1) }
    // What takes all of a dimension is known to the kernel as that.
    let axes = x.order.map { axis in
      let selection = selections[axis]
      return selection == .strided(first: 0, step: 1, count: x.shape[axis]) ? .all : selection
    }
    if axes.allSatisfy({ $0 == .all }) { return x }
    let y = try graph.apply(Select(axes, filler: filler), value, name: node.name)
    return Imported(node.name, y, shape: shape, order: x.order)
  }

  fileprivate mutating func concatenate(_ node: NodeReader) throws(TesseraError) -> Imported {
    var operands: [Imported] = []
    for index in node.inputs.indices { operands.append(try unfolded(node.input(index))) }
    try node.require(!operands.isEmpty, .invalidFile, "inputs", "operands", found: "none")
    let axis = try node.axis(try node.integer("axis", else: 1), rank: operands[0].rank)
    var shape = operands[0].shape
    shape[axis] = 0
    for operand in operands {
      var rest = operand.shape
      try node.require(rest.count == shape.count, .shapeMismatch, "inputs", "one rank", found: "\(Shape(rest))")
      let (sum, overflow) = shape[axis].addingReportingOverflow(rest[axis])
      try node.require(!overflow, .invalidShape, "output", "a size that fits", found: "\(rest[axis]) more")
      shape[axis] = sum
      rest[axis] = shape[axis]
      try node.require(rest == shape, .shapeMismatch, "inputs", "shapes that fit", found: "\(Shape(operand.shape))")
    }
    try Shape(shape).validate(at: node.location)
    let order = operands.first { $0.constant == nil }?.order ?? Array(shape.indices)
    let place = order.firstIndex(of: axis) ?? axis
    let stored = order.map { shape[$0] }
    var parts: [Value] = []
    for operand in operands where operand.shape[axis] > 0 || shape[axis] == 0 {
      let value = try value(operand, order: order)
      // One row for each place before the axis.
      let sizes = graph.shape(of: value).dimensions
      parts.append(
        try graph.reshape(
          value, to: [sizes[..<place].reduce(1, *), sizes[place...].reduce(1, *)], name: node.name))
    }
    let y = parts.count == 1 ? parts[0] : try graph.add(ConcatenateOperation(), parts, name: node.name)[0]
    return Imported(
      node.name, try graph.reshape(y, to: Shape(stored), name: node.name), shape: shape, order: order)
  }

  fileprivate mutating func split(_ node: NodeReader) throws(TesseraError) -> [Imported] {
    let x = try unfolded(node.input(0))
    let axis = try node.axis(try node.integer("axis", else: 0), rank: x.rank)
    let count = node.proto.output.count
    try node.require(count >= 1, .invalidFile, "outputs", "1 or more", found: "none")
    var sizes: [Int]
    if let given = try node.integers(1, or: "split") {
      sizes = given
    } else {
      // All alike, but the last, which may be smaller.
      let parts = try node.integer("num_outputs", else: count)
      try node.require(parts == count, "attribute num_outputs", "\(count) outputs", found: "\(parts)")
      let size = (x.shape[axis] + count - 1) / count
      sizes = Array(repeating: size, count: count)
      sizes[count - 1] = x.shape[axis] - size * (count - 1)
    }
    try node.require(
      sizes.count == count && sizes.allSatisfy { 0...x.shape[axis] ~= $0 } && sizes.reduce(0, &+) == x.shape[axis],
      .shapeMismatch, "split", "\(count) sizes of \(x.shape[axis]) together", found: "\(sizes)")
    var first = 0
    var parts: [Imported] = []
    for size in sizes {
      var selections = Array(repeating: AxisSelection.all, count: x.rank)
      selections[axis] = .strided(first: first, step: 1, count: size)
      parts.append(try select(x, selections, node))
      first += size
    }
    return parts
  }

  /// Known indices are a selection, others an operation of their own.
  fileprivate mutating func gather(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try node.input(0)
    let axis = try node.axis(try node.integer("axis", else: 0), rank: x.rank)
    if node.has(1), case .value = try node.input(1).source {
      let places = try node.input(1)
      let shape = Array(x.shape[..<axis]) + places.shape + Array(x.shape[(axis + 1)...])
      let y = try graph.apply(Gather(axis: axis), value(x), value(places), name: node.name)
      return Imported(node.name, y, shape: shape)
    }
    guard let given = try node.integers(1), let indices = try node.constant(1) else {
      throw node.error(.invalidFile, "input 1", expected: "indices", found: "none")
    }
    let size = x.shape[axis]
    try node.require(
      given.allSatisfy { (-size..<size).contains($0) }, .invalidData, "input 1", "indices in \(-size)..<\(size)",
      found: "others")
    var selections = Array(repeating: AxisSelection.all, count: x.rank)
    selections[axis] = .indices(given.map { $0 < 0 ? $0 + size : $0 })
    let taken = try select(x, selections, node)
    let shape = Array(x.shape[..<axis]) + indices.shape + Array(x.shape[(axis + 1)...])
    try Shape(shape).validate(at: node.location)
    return try reshape(taken, to: shape, name: node.name)
  }

  fileprivate mutating func pad(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try node.input(0)
    let mode = try node.choice("mode", else: "constant", of: ["constant", "reflect", "edge", "wrap"])
    guard let pads = try node.integers(1, or: "pads") else {
      throw node.error(.invalidFile, "input 1", expected: "pads", found: "none")
    }
    var axes = Array(0..<x.rank)
    if let given = try node.integers(3) {
      axes = []
      for axis in given { axes.append(try node.axis(axis, rank: x.rank)) }
    }
    try node.require(
      pads.count == 2 * axes.count, .shapeMismatch, "pads", "\(2 * axes.count) numbers", found: "\(pads.count)")
    var filler = try node.number("value", else: 0)
    if let value = try node.constant(2)?.doubles.first { filler = value }
    var selections = Array(repeating: AxisSelection.all, count: x.rank)
    for (index, axis) in axes.enumerated() {
      let (before, after, size) = (pads[index], pads[axes.count + index], x.shape[axis])
      if before == 0 && after == 0 { continue }
      let limit = AxisSelection.longestTable
      try node.require(
        -size...limit ~= before && -size...limit ~= after && size <= limit && 0...limit ~= before + size + after,
        .unsupported, "pads", "sizes of 0 to \(limit)", found: "\(before) and \(after) around \(size)")
      try node.require(
        size > 0 || mode == "constant", .shapeMismatch, "input 0", "elements to repeat", found: "none")
      selections[axis] = .indices((-before..<size + after).map { Self.padded($0, size, mode) })
    }
    return try select(x, selections, filler: filler, node)
  }

  /// The element that stands at a place outside of a dimension.
  private static func padded(_ place: Int, _ size: Int, _ mode: String) -> Int {
    if 0..<size ~= place { return place }
    switch mode {
    case "edge": return place < 0 ? 0 : size - 1
    case "wrap": return (place % size + size) % size
    case "reflect":
      let period = max(1, 2 * (size - 1))
      let along = (place % period + period) % period
      return min(along, period - along) % size
    default: return -1
    }
  }

  fileprivate mutating func expand(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try node.input(0)
    let shape = try Operators.expandedShape(node)
    let order = x.rank == shape.count && !x.isFlattened ? x.order : Array(shape.indices)
    let value = try aligned(x, to: order)
    return try apply(
      Expand(shape: Shape(order.map { shape[$0] })), [value], node, shape: shape, order: order)
  }

  fileprivate mutating func tile(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try node.input(0)
    let repeats = try node.integers(1) ?? []
    try node.require(
      repeats.count == x.rank, .shapeMismatch, "input 1", "\(x.rank) numbers", found: "\(repeats.count)")
    var selections: [AxisSelection] = []
    for (size, count) in zip(x.shape, repeats) {
      let (total, overflow) = size.multipliedReportingOverflow(by: count)
      try node.require(
        !overflow && 0...AxisSelection.longestTable ~= total, .unsupported, "repeats",
        "sizes of 0 to \(AxisSelection.longestTable)", found: "\(count) times \(size)")
      selections.append(count == 1 ? .all : .indices((0..<total).map { $0 % size }))
    }
    return try select(x, selections, node)
  }

  fileprivate mutating func depthToSpace(_ node: NodeReader) throws(TesseraError) -> Imported {
    let (x, block) = try blocks(node)
    let square = block * block
    try node.require(
      x.shape[1] % square == 0, .shapeMismatch, "input 0", "channels that \(square) divides", found: "\(Shape(x.shape))"
    )
    let (n, c, h, w) = (x.shape[0], x.shape[1] / square, x.shape[2], x.shape[3])
    let mode = try node.choice("mode", else: "DCR", of: ["DCR", "CRD"])
    let parts = try reshape(
      x, to: mode == "DCR" ? [n, block, block, c, h, w] : [n, c, block, block, h, w], name: node.name)
    let sorted = parts.transposed(mode == "DCR" ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3])
    return try reshape(sorted, to: [n, c, h * block, w * block], name: node.name)
  }

  fileprivate mutating func spaceToDepth(_ node: NodeReader) throws(TesseraError) -> Imported {
    let (x, block) = try blocks(node)
    try node.require(
      x.shape[2] % block == 0 && x.shape[3] % block == 0, .shapeMismatch, "input 0",
      "sizes that \(block) divides", found: "\(Shape(x.shape))")
    let (n, c, h, w) = (x.shape[0], x.shape[1], x.shape[2] / block, x.shape[3] / block)
    let mode = try node.choice("mode", else: "DCR", of: ["DCR", "CRD"])
    let parts = try reshape(x, to: [n, c, h, block, w, block], name: node.name)
    let sorted = parts.transposed(mode == "DCR" ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4])
    return try reshape(sorted, to: [n, c * block * block, h, w], name: node.name)
  }

  private mutating func blocks(_ node: NodeReader) throws(TesseraError) -> (x: Imported, block: Int) {
    let x = try unfolded(node.input(0))
    let block = try node.integer("blocksize", else: 0)
    try node.require(x.rank == 4, .shapeMismatch, "input 0", "[N, C, H, W]", found: "\(Shape(x.shape))")
    try node.require(1...4096 ~= block, "attribute blocksize", "1 to 4096", found: "\(block)")
    return (x, block)
  }
}
