import TesseraGraph

extension Operators {
  static let convolutions: [String: Handler] = [
    "Conv": { (i, n) throws(TesseraError) in [try i.convolution(n)] },
    "ConvTranspose": { (i, n) throws(TesseraError) in [try i.transposedConvolution(n)] },
  ]
}

extension Importer {
  /// Images and filters of as many dimensions.
  private func convolved(_ node: NodeReader) throws(TesseraError) -> (x: Imported, w: Imported, groups: Int) {
    let (x, w) = (try node.input(0), try node.input(1))
    try node.image(x)
    try requireFloats([x, w], node)
    try node.require(
      w.rank == x.rank, .shapeMismatch, "input 1", "rank \(x.rank)", found: "\(Shape(w.shape))")
    let groups = try node.integer("group", else: 1)
    return (x, w, groups)
  }

  fileprivate mutating func convolution(_ node: NodeReader) throws(TesseraError) -> Imported {
    let (x, w, groups) = try convolved(node)
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

  fileprivate mutating func transposedConvolution(_ node: NodeReader) throws(TesseraError) -> Imported {
    let (x, w, groups) = try convolved(node)
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
}
