import TesseraGraph

extension Operators {
  static let windows: [String: Handler] = [
    "Conv": { (i, n) throws(TesseraError) in [try i.convolution(n)] },
    "ConvTranspose": { (i, n) throws(TesseraError) in [try i.transposedConvolution(n)] },
    "MaxPool": { (i, n) throws(TesseraError) in try i.maxPool(n) },
    "AveragePool": { (i, n) throws(TesseraError) in [try i.averagePool(n)] },
    "LpPool": { (i, n) throws(TesseraError) in [try i.lpPool(n)] },
    "GlobalAveragePool": { (i, n) throws(TesseraError) in [try i.globalAveragePool(n)] },
    "GlobalMaxPool": { (i, n) throws(TesseraError) in
      let x = try n.input(0)
      return [try i.reduce(.maximum, x, axes: Array(2..<max(2, x.rank)), keeps: true, n)]
    },
    "GlobalLpPool": { (i, n) throws(TesseraError) in
      let x = try n.input(0)
      let p = Double(try n.integer("p", else: 2))
      let powers = try i.power(of: x, p, n)
      let sum = try i.reduce(.sum, powers, axes: Array(2..<max(2, x.rank)), keeps: true, n)
      return [try i.root(of: sum, p, n)]
    },
  ]
}

/// One direction of a window, with its padding in elements.
struct WindowAxis {
  let size: Int
  let kernel: Int
  let stride: Int
  let dilation: Int
  let before: Int
  /// As the model says; results beyond it come from rounding up.
  let after: Int
  let outputs: Int

  /// Elements from the window's first to its last.
  var extent: Int { (kernel - 1) * dilation + 1 }
  /// What the outputs see behind the image.
  var reachedAfter: Int { max(0, (outputs - 1) * stride + extent - size - before) }

  /// The elements under the window at an output, in the image.
  func places(_ output: Int) -> [Int] {
    (0..<kernel).map { output * stride - before + $0 * dilation }.filter { 0..<size ~= $0 }
  }

  /// Elements in the image and in the padding that the model asks for.
  func paddedCount(_ output: Int) -> Int {
    (0..<kernel).filter { -before..<size + after ~= output * stride - before + $0 * dilation }.count
  }
}

extension NodeReader {
  /// The window of a convolution or a pooling over spatial sizes.
  fileprivate func window(_ sizes: [Int], kernel: [Int], ceils: Bool = false) throws(TesseraError) -> [WindowAxis] {
    let count = sizes.count
    let strides = try perAxis("strides", count: count, else: 1)
    let dilations = try perAxis("dilations", count: count, else: 1)
    let pads = try perAxis("pads", count: 2 * count, else: 0)
    let auto = try choice("auto_pad", else: "NOTSET", of: ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
    var axes: [WindowAxis] = []
    for axis in 0..<count {
      let (size, k, s, d) = (sizes[axis], kernel[axis], strides[axis], dilations[axis])
      try checkWindow(k, s, d, size)
      let extent = (k - 1) * d + 1
      var (before, after) = auto == "NOTSET" ? (pads[axis], pads[count + axis]) : (0, 0)
      if auto.hasPrefix("SAME") {
        let total = max(0, ((size + s - 1) / s - 1) * s + extent - size)
        before = auto == "SAME_UPPER" ? total / 2 : total - total / 2
        after = total - before
      }
      try require(
        0..<Self.limit ~= before && 0..<Self.limit ~= after, "attribute pads", "padding of 0 or more", found: "\(pads)")
      let room = size + before + after - extent
      try require(
        room >= 0, .shapeMismatch, "input 0", "at least \(extent) padded elements along spatial axis \(axis)",
        found: "\(size + before + after)")
      var outputs = room / s + 1
      if ceils {
        outputs = (room + s - 1) / s + 1
        // A window that begins behind the image and its padding isn't one.
        if (outputs - 1) * s >= size + before { outputs -= 1 }
      }
      axes.append(
        WindowAxis(size: size, kernel: k, stride: s, dilation: d, before: before, after: after, outputs: outputs))
    }
    return axes
  }

  /// Windows that no sum of sizes can overflow with.
  fileprivate static let limit = 1 << 31

  fileprivate func checkWindow(_ kernel: Int, _ stride: Int, _ dilation: Int, _ size: Int) throws(TesseraError) {
    for (name, number) in [("kernel_shape", kernel), ("strides", stride), ("dilations", dilation)] {
      try require(1..<Self.limit ~= number, "attribute \(name)", "1 to \(Self.limit)", found: "\(number)")
    }
    try require(
      (kernel - 1) * dilation < Self.limit && size < Self.limit, "window", "at most \(Self.limit) elements",
      found: "\((kernel - 1) * dilation) over \(size)")
  }

  /// The kernel that the model states, which must be that of the weights where there are some.
  fileprivate func kernel(_ count: Int, weights: [Int]? = nil) throws(TesseraError) -> [Int] {
    if let kernel = try integers("kernel_shape") {
      try require(
        kernel.count == count && (weights == nil || kernel == weights), "attribute kernel_shape",
        "\(weights.map { "\($0)" } ?? "\(count) numbers")", found: "\(kernel)")
      return kernel
    }
    guard let weights else {
      throw error(.invalidFile, "attribute kernel_shape", expected: "\(count) numbers", found: "none")
    }
    return weights
  }

  fileprivate func image(_ x: Imported) throws(TesseraError) {
    try require(
      3...5 ~= x.rank, x.rank > 5 ? .unsupported : .shapeMismatch, "input 0", "[N, C] and one to three spatial sizes",
      found: "\(Shape(x.shape))")
  }
}

/// Images of one dimension are images of one row.
private func planar(_ axes: [WindowAxis]) -> [WindowAxis] {
  let row = WindowAxis(size: 1, kernel: 1, stride: 1, dilation: 1, before: 0, after: 0, outputs: 1)
  return Array(repeating: row, count: max(0, 2 - axes.count)) + axes
}

private func resolved(_ axes: [WindowAxis]) -> ResolvedWindow2D {
  let (y, x) = (axes[0], axes[1])
  return ResolvedWindow2D(
    kernel: Size2D(y: y.kernel, x: x.kernel), stride: Size2D(y: y.stride, x: x.stride),
    dilation: Size2D(y: y.dilation, x: x.dilation), top: y.before, left: x.before, bottom: y.reachedAfter,
    right: x.reachedAfter)
}

extension Importer {
  // MARK: Convolutions

  fileprivate mutating func convolution(_ node: NodeReader) throws(TesseraError) -> Imported {
    let (x, w) = (try node.input(0), try node.input(1))
    try node.image(x)
    try requireFloats([x, w], node)
    try node.require(
      w.rank == x.rank, .shapeMismatch, "input 1", "rank \(x.rank)", found: "\(Shape(w.shape))")
    let groups = try node.integer("group", else: 1)
    let axes = try node.window(
      Array(x.shape[2...]), kernel: node.kernel(x.rank - 2, weights: Array(w.shape[2...])))
    let shape = [x.shape[0], w.shape[0]] + axes.map(\.outputs)
    let order = channelsLast(x.rank)
    var operands = [try image(x), try filters(w)]
    var bias: Value?
    if node.has(2) { bias = try value(node.input(2)) }
    if x.rank == 5 {
      let y = try deepConvolution(operands, axes, groups, bias, node)
      return Imported(node.name, y, shape: shape, order: order)
    }
    let flat = planar(axes)
    operands[0] = try graph.reshape(
      operands[0], to: [x.shape[0], flat[0].size, flat[1].size, x.shape[1]], name: node.name)
    if let bias { operands.append(bias) }
    let y = try graph.add(Convolution2D(window: resolved(flat), groups: groups), operands, name: node.name)[0]
    return Imported(
      node.name, try graph.reshape(y, to: Shape(order.map { shape[$0] }), name: node.name), shape: shape, order: order)
  }

  /// [K, C, ...] as [..., C, K], with a window of one row where it has one dimension only.
  private mutating func filters(_ w: Imported) throws(TesseraError) -> Value {
    let order = Array(2..<w.rank) + [1, 0]
    if w.rank == 3, let tensor = w.constant {
      return try constant(w.name, tensor, shape: [1] + order.map { w.shape[$0] }) { $0.permuted(order) }
    }
    let value = try value(w, order: order)
    return w.rank == 3 ? try graph.reshape(value, to: Shape([1] + order.map { w.shape[$0] }), name: w.name) : value
  }

  /// Over three dimensions: for each plane of the window a convolution of all planes of the image that it meets,
  /// summed.
  private mutating func deepConvolution(
    _ operands: [Value], _ axes: [WindowAxis], _ groups: Int, _ bias: Value?, _ node: NodeReader
  ) throws(TesseraError) -> Value {
    let (depth, flat) = (axes[0], Array(axes[1...]))
    let x = graph.shape(of: operands[0])
    try checkTable(max(depth.outputs, depth.kernel * 1024), node)
    var sum: Value?
    for t in 0..<depth.kernel {
      let places = (0..<depth.outputs).map { output in
        let place = output * depth.stride - depth.before + t * depth.dilation
        return 0..<depth.size ~= place ? place : -1
      }
      let planes = try graph.apply(
        Select([.all, .indices(places), .all, .all, .all]), operands[0], name: "\(node.name).planes")
      let images = try graph.reshape(
        planes, to: [x[0] * depth.outputs, x[2], x[3], x[4]], name: node.name)
      let part = try graph.add(
        Convolution2D(window: resolved(flat), groups: groups), [images, try plane(t, of: operands[1], node)],
        name: node.name)[0]
      if let before = sum { sum = try graph.apply(Add(), before, part, name: "\(node.name).sum") } else { sum = part }
    }
    return try deepResult(sum, [x[0], depth.outputs, flat[0].outputs, flat[1].outputs], bias, node)
  }

  private mutating func plane(_ t: Int, of w: Value, _ node: NodeReader) throws(TesseraError) -> Value {
    let shape = graph.shape(of: w)
    let plane = try graph.apply(
      Select([.strided(first: t, step: 1, count: 1), .all, .all, .all, .all]), w, name: "\(node.name).plane")
    return try graph.reshape(plane, to: Shape(Array(shape.dimensions[1...])), name: node.name)
  }

  private mutating func deepResult(_ sum: Value?, _ sizes: [Int], _ bias: Value?, _ node: NodeReader)
    throws(TesseraError) -> Value
  {
    guard let sum else {
      throw node.error(.invalidAttribute, "kernel_shape", expected: "a plane or more", found: "none")
    }
    let channels = graph.shape(of: sum).dimensions.last ?? 1
    let y = try graph.reshape(sum, to: Shape(sizes + [channels]), name: node.name)
    guard let bias else { return y }
    return try graph.apply(Elementwise(.add), y, bias, name: "\(node.name).bias")
  }

  private func checkTable(_ count: Int, _ node: NodeReader) throws(TesseraError) {
    try node.require(
      count <= AxisSelection.longestTable, .unsupported, "output",
      "at most \(AxisSelection.longestTable) along an axis",
      found: "\(count)")
  }

  fileprivate mutating func transposedConvolution(_ node: NodeReader) throws(TesseraError) -> Imported {
    let (x, w) = (try node.input(0), try node.input(1))
    try node.image(x)
    try requireFloats([x, w], node)
    try node.require(
      w.rank == x.rank, .shapeMismatch, "input 1", "rank \(x.rank)", found: "\(Shape(w.shape))")
    let groups = try node.integer("group", else: 1)
    let (axes, extra) = try transposedWindow(node, x, w)
    let (channels, overflow) = w.shape[1].multipliedReportingOverflow(by: groups)
    try node.require(!overflow && groups >= 1, "group", "1 or more", found: "\(groups)")
    let order = channelsLast(x.rank)
    let shape = [x.shape[0], channels] + zip(axes, extra).map { $0.size + $1 }
    let operands = [try image(x), try filters(w)]
    var bias: Value?
    if node.has(2) { bias = try value(node.input(2)) }
    var y: Value
    if x.rank == 5 {
      y = try deepTransposedConvolution(operands, axes, groups, node)
    } else {
      let flat = planar(axes)
      let images = try graph.reshape(
        operands[0], to: [x.shape[0], flat[0].outputs, flat[1].outputs, x.shape[1]], name: node.name)
      let operation = ConvolutionBackwardData(
        window: resolved(flat), groups: groups, inputHeight: flat[0].size, inputWidth: flat[1].size)
      let isWhole = extra.allSatisfy { $0 == 0 }
      y = try graph.add(
        operation, [images, operands[1]] + (isWhole ? [bias].compactMap { $0 } : []), name: node.name)[0]
      if isWhole { bias = nil }
      y = try graph.reshape(y, to: Shape([x.shape[0]] + axes.map(\.size) + [channels]), name: node.name)
    }
    if extra.contains(where: { $0 > 0 }) {
      let selections = try zip(axes, extra).map { (axis, more) throws(TesseraError) in
        try checkTable(axis.size + more, node)
        return AxisSelection.indices(Array(0..<axis.size) + Array(repeating: -1, count: more))
      }
      y = try graph.apply(Select([.all] + selections + [.all]), y, name: "\(node.name).pad")
    }
    if let bias { y = try graph.apply(Elementwise(.add), y, bias, name: "\(node.name).bias") }
    return Imported(node.name, y, shape: shape, order: order)
  }

  /// The window of the convolution that this is the transpose of, whose image is the result; and how many rows of zeros
  /// the result has behind those that windows can reach.
  private func transposedWindow(_ node: NodeReader, _ x: Imported, _ w: Imported) throws(TesseraError)
    -> (axes: [WindowAxis], extra: [Int])
  {
    let count = x.rank - 2
    let kernel = try node.kernel(count, weights: Array(w.shape[2...]))
    let strides = try node.perAxis("strides", count: count, else: 1)
    let dilations = try node.perAxis("dilations", count: count, else: 1)
    let pads = try node.perAxis("pads", count: 2 * count, else: 0)
    let more = try node.perAxis("output_padding", count: count, else: 0)
    let auto = try node.choice("auto_pad", else: "NOTSET", of: ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
    var sizes = try node.integers("output_shape")
    if let given = sizes, given.count == count + 2 { sizes = Array(given[2...]) }
    try node.require(
      sizes == nil || sizes?.count == count, "attribute output_shape", "\(count) numbers",
      found: "\(sizes?.count ?? 0)")
    var axes: [WindowAxis] = []
    var extra: [Int] = []
    for axis in 0..<count {
      let (k, s, d) = (kernel[axis], strides[axis], dilations[axis])
      try node.checkWindow(k, s, d, x.shape[axis + 2])
      let limit = 0..<NodeReader.limit
      for number in [pads[axis], pads[count + axis], more[axis], sizes?[axis] ?? 0] {
        try node.require(limit ~= number, "attributes", "padding and sizes of 0 or more", found: "\(number)")
      }
      let (full, overflow) = (x.shape[axis + 2] - 1).multipliedReportingOverflow(by: s)
      try node.require(!overflow && full < 1 << 40, "strides", "a size that fits", found: "\(s)")
      let reached = full + (k - 1) * d + 1
      var (before, after) = auto == "NOTSET" ? (pads[axis], pads[count + axis]) : (0, 0)
      var size = reached + more[axis] - before - after
      if let given = sizes?[axis] ?? (auto.hasPrefix("SAME") ? x.shape[axis + 2] * s : nil) {
        let total = max(0, reached + more[axis] - given)
        before = auto == "SAME_UPPER" ? total / 2 : total - total / 2
        (after, size) = (total - before, given)
      }
      // Where windows end, and what lies behind: within a stride it belongs to the last window.
      let inside = size + before + after - reached
      let beyond = inside >= s ? inside : 0
      try node.require(size - beyond >= 1, .shapeMismatch, "output", "a size of 1 or more", found: "\(size)")
      axes.append(
        WindowAxis(
          size: size - beyond, kernel: k, stride: s, dilation: d, before: before, after: after,
          outputs: x.shape[axis + 2]))
      extra.append(beyond)
    }
    return (axes, extra)
  }

  /// Over three dimensions: for each plane of the window the transposed convolution of all planes, each added where it
  /// goes.
  private mutating func deepTransposedConvolution(
    _ operands: [Value], _ axes: [WindowAxis], _ groups: Int, _ node: NodeReader
  ) throws(TesseraError) -> Value {
    let (depth, flat) = (axes[0], Array(axes[1...]))
    let x = graph.shape(of: operands[0])
    let images = try graph.reshape(operands[0], to: [x[0] * x[1], x[2], x[3], x[4]], name: node.name)
    try checkTable(max(depth.size, depth.kernel * 1024), node)
    var sum: Value?
    for t in 0..<depth.kernel {
      let part = try graph.add(
        ConvolutionBackwardData(
          window: resolved(flat), groups: groups, inputHeight: flat[0].size, inputWidth: flat[1].size),
        [images, try plane(t, of: operands[1], node)], name: node.name)[0]
      let channels = graph.shape(of: part)[3]
      let planes = try graph.reshape(
        part, to: [x[0], x[1], flat[0].size * flat[1].size * channels], name: node.name)
      var terms: [[(index: Int, weight: Double)]] = Array(repeating: [], count: depth.size)
      for plane in 0..<x[1] {
        let place = plane * depth.stride - depth.before + t * depth.dilation
        if 0..<depth.size ~= place { terms[place].append((plane, 1)) }
      }
      let spread = try graph.apply(
        AxisCombination(axis: 1, size: x[1], terms: terms), planes, name: "\(node.name).planes")
      if let before = sum {
        sum = try graph.apply(Add(), before, spread, name: "\(node.name).sum")
      } else {
        sum = spread
      }
      if t == depth.kernel - 1, let all = sum {
        return try graph.reshape(
          all, to: [x[0], depth.size, flat[0].size, flat[1].size, channels], name: node.name)
      }
    }
    throw node.error(.invalidAttribute, "kernel_shape", expected: "a plane or more", found: "none")
  }

  // MARK: Pooling

  fileprivate mutating func maxPool(_ node: NodeReader) throws(TesseraError) -> [Imported] {
    let x = try node.input(0)
    try node.image(x)
    try requireFloats([x], node)
    let axes = try node.window(
      Array(x.shape[2...]), kernel: node.kernel(x.rank - 2), ceils: node.flag("ceil_mode"))
    let shape = Array(x.shape[..<2]) + axes.map(\.outputs)
    let order = channelsLast(x.rank)
    let stored = Shape(order.map { shape[$0] })
    let images = try image(x)
    if x.rank == 5 {
      try node.require(node.proto.output.count < 2, .unsupported, "output 1", "no indices in 3-D", found: "indices")
      // Over planes, then over depth.
      let n = x.shape[0]
      var y = try graph.reshape(
        images, to: [n * x.shape[2], x.shape[3], x.shape[4], x.shape[1]], name: node.name)
      y = try maxima(y, Array(axes[1...]), node)[0]
      let plane = axes[1].outputs * axes[2].outputs
      y = try graph.reshape(y, to: [n, x.shape[2], plane, x.shape[1]], name: node.name)
      let along = WindowAxis(
        size: plane, kernel: 1, stride: 1, dilation: 1, before: 0, after: 0, outputs: plane)
      y = try maxima(y, [axes[0], along], node)[0]
      return [Imported(node.name, try graph.reshape(y, to: stored, name: node.name), shape: shape, order: order)]
    }
    let flat = planar(axes)
    let planes = try graph.reshape(
      images, to: [x.shape[0], flat[0].size, flat[1].size, x.shape[1]], name: node.name)
    let results = try maxima(planes, flat, node)
    let y = Imported(node.name, try graph.reshape(results[0], to: stored, name: node.name), shape: shape, order: order)
    guard node.proto.output.count > 1 else { return [y] }
    try node.require(
      results.count > 1, .unsupported, "output 1", "indices of windows padded by at most half", found: "more")
    let places = try graph.apply(
      MaxPoolIndices(
        window: resolved(flat), inputHeight: flat[0].size, inputWidth: flat[1].size,
        countsColumns: node.flag("storage_order")), results[1], name: "\(node.name).indices")
    return [
      y,
      Imported(
        "\(node.name).indices", try graph.reshape(places, to: stored, name: node.name), shape: shape, order: order),
    ]
  }

  /// Maxima and their masks; only maxima where windows lie in the padding, which then is filled.
  private mutating func maxima(_ images: Value, _ axes: [WindowAxis], _ node: NodeReader) throws(TesseraError)
    -> [Value]
  {
    let direct = MaxPool2DOperation(window: resolved(axes))
    if (try? direct.outputTypes([graph.type(of: images)], at: node.location)) != nil {
      return try graph.add(direct, [images], name: node.name)
    }
    var selections: [AxisSelection] = [.all]
    for axis in axes {
      try checkTable(axis.before + axis.size + axis.reachedAfter, node)
      selections.append(
        .indices(
          Array(repeating: -1, count: axis.before) + Array(0..<axis.size)
            + Array(repeating: -1, count: axis.reachedAfter)))
    }
    let padded = try graph.apply(
      Select(selections + [.all], filler: -.infinity), images, name: "\(node.name).pad")
    let window = ResolvedWindow2D(
      kernel: direct.window.kernel, stride: direct.window.stride, dilation: direct.window.dilation)
    return [try graph.add(MaxPool2DOperation(window: window), [padded], name: node.name)[0]]
  }

  fileprivate mutating func averagePool(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try node.input(0)
    try node.image(x)
    try requireFloats([x], node)
    let axes = try node.window(
      Array(x.shape[2...]), kernel: node.kernel(x.rank - 2), ceils: node.flag("ceil_mode"))
    let countsPadding = try node.flag("count_include_pad")
    if x.rank < 5, !countsPadding || axes.allSatisfy({ $0.reachedAfter <= $0.after }) {
      let flat = planar(axes)
      let operation = AveragePool2DOperation(window: resolved(flat), countsPadding: countsPadding)
      let images = try graph.reshape(
        image(x), to: [x.shape[0], flat[0].size, flat[1].size, x.shape[1]], name: node.name)
      if (try? operation.outputTypes([graph.type(of: images)], at: node.location)) != nil {
        let shape = Array(x.shape[..<2]) + axes.map(\.outputs)
        let order = channelsLast(x.rank)
        let y = try graph.apply(operation, images, name: node.name)
        return Imported(
          node.name, try graph.reshape(y, to: Shape(order.map { shape[$0] }), name: node.name), shape: shape,
          order: order)
      }
    }
    return try windowSums(x, axes, node) { axis, output in
      1 / Double(max(1, countsPadding ? axis.paddedCount(output) : axis.places(output).count))
    }
  }

  fileprivate mutating func lpPool(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try node.input(0)
    try node.image(x)
    try requireFloats([x], node)
    let axes = try node.window(
      Array(x.shape[2...]), kernel: node.kernel(x.rank - 2), ceils: node.flag("ceil_mode"))
    let p = Double(try node.integer("p", else: 2))
    return try root(of: windowSums(power(of: x, p, node), axes, node) { _, _ in 1 }, p, node)
  }

  /// Weighted sums over windows, one direction after the other.
  private mutating func windowSums(
    _ x: Imported, _ axes: [WindowAxis], _ node: NodeReader, _ weight: (WindowAxis, Int) -> Double
  ) throws(TesseraError) -> Imported {
    var value = try image(x)
    for (index, axis) in axes.enumerated() {
      try checkTable(max(axis.outputs, axis.kernel), node)
      try checkTable(axis.outputs * axis.kernel, node)
      let terms = (0..<axis.outputs).map { output in
        axis.places(output).map { (index: $0, weight: weight(axis, output)) }
      }
      value = try graph.apply(
        AxisCombination(axis: index + 1, size: axis.size, terms: terms), value, name: node.name)
    }
    let shape = Array(x.shape[..<2]) + axes.map(\.outputs)
    return Imported(node.name, value, shape: shape, order: channelsLast(x.rank))
  }

  /// |x|^p
  fileprivate mutating func power(of x: Imported, _ p: Double, _ node: NodeReader) throws(TesseraError) -> Imported {
    try requireFloats([x], node)
    let value = try anyOrder(x)
    if p == 2 { return x.replacing(try graph.apply(Multiply(), value, value, name: "\(node.name).square")) }
    let size = try graph.apply(MapElements(.absolute), value, name: "\(node.name).abs")
    if p == 1 { return x.replacing(size) }
    return x.replacing(
      try graph.apply(Elementwise(.power), size, scalar(p, like: size), name: "\(node.name).power"))
  }

  /// x^(1/p)
  fileprivate mutating func root(of x: Imported, _ p: Double, _ node: NodeReader) throws(TesseraError) -> Imported {
    let value = try anyOrder(x)
    if p == 1 { return x }
    if p == 2 { return x.replacing(try graph.apply(MapElements(.squareRoot), value, name: "\(node.name).root")) }
    return x.replacing(
      try graph.apply(Elementwise(.power), value, scalar(1 / p, like: value), name: "\(node.name).root"))
  }

  fileprivate mutating func globalAveragePool(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try node.input(0)
    try node.require(x.rank >= 2, .shapeMismatch, "input 0", "[N, C, ...]", found: "\(Shape(x.shape))")
    guard x.rank == 4, x.order == channelsLast(4), x.count > 0 else {
      return try reduceMean(x, axes: Array(2..<x.rank), keeps: true, node)
    }
    let window = ResolvedWindow2D(kernel: Size2D(y: x.shape[2], x: x.shape[3]))
    return try apply(
      AveragePool2DOperation(window: window, countsPadding: false), [image(x)], node,
      shape: [x.shape[0], x.shape[1], 1, 1], order: x.order)
  }
}
