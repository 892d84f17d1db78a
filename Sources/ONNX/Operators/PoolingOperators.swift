import TesseraGraph

extension Operators {
  static let pooling: [String: Handler] = [
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

extension Importer {
  /// Images and the windows over them.
  private func pooled(_ node: NodeReader) throws(TesseraError) -> (x: Imported, axes: [WindowAxis]) {
    let x = try node.input(0)
    try node.image(x)
    try requireFloats([x], node)
    let axes = try node.window(
      Array(x.shape[2...]), kernel: node.kernel(x.rank - 2), ceils: node.flag("ceil_mode"))
    return (x, axes)
  }

  fileprivate mutating func maxPool(_ node: NodeReader) throws(TesseraError) -> [Imported] {
    let (x, axes) = try pooled(node)
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
    let (x, axes) = try pooled(node)
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
    let (x, axes) = try pooled(node)
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
