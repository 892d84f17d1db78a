import TesseraGraph

extension Operators {
  static let normalizations: [String: Handler] = [
    "BatchNormalization": { (i, n) throws(TesseraError) in try i.batchNormalization(n) },
    "InstanceNormalization": { (i, n) throws(TesseraError) in [try i.instanceNormalization(n)] },
    "GroupNormalization": { (i, n) throws(TesseraError) in [try i.groupNormalization(n)] },
    "LayerNormalization": { (i, n) throws(TesseraError) in try i.layerNormalization(n) },
    "LRN": { (i, n) throws(TesseraError) in [try i.localResponseNormalization(n)] },
    "Softmax": { (i, n) throws(TesseraError) in [try i.softmax(n, isLogarithmic: false)] },
    "LogSoftmax": { (i, n) throws(TesseraError) in [try i.softmax(n, isLogarithmic: true)] },
  ]
}

extension Importer {
  fileprivate mutating func batchNormalization(_ node: NodeReader) throws(TesseraError) -> [Imported] {
    let x = try node.input(0)
    try node.require(x.rank >= 2, .shapeMismatch, "input 0", "[N, C, ...]", found: "\(Shape(x.shape))")
    let epsilon = try node.number("epsilon", else: Double(Float(1e-5)))
    let momentum = try node.number("momentum", else: Double(Float(0.9)))
    let order = channelsLast(x.rank)
    for index in 3...4 { statisticNames.insert(try node.input(index).name) }
    let images = try image(x)
    var operands: [Value] = []
    for index in 1...4 { operands.append(try value(node.input(index))) }
    let (scale, shift, mean, variance) = (operands[0], operands[1], operands[2], operands[3])
    let learns = builder?.mode == .training
    let isTraining = try node.flag("training_mode")
    guard learns || isTraining else {
      let y = try graph.apply(
        Normalize(epsilon: epsilon), images, mean, variance, scale, shift, name: node.name)
      return [Imported(node.name, y, shape: x.shape, order: order)]
    }
    let results = try graph.add(BatchNormalization(epsilon: epsilon), [images, scale, shift], name: node.name)
    var moved: [Imported] = [Imported(node.name, results[0], shape: x.shape, order: order)]
    for (index, old) in [mean, variance].enumerated() {
      // As PyTorch, which such a model came from: the variance without bias.
      let rows = Double(x.count / max(1, x.shape[1]))
      let average = MovingAverage(momentum: 1 - momentum, factor: index == 0 ? 1 : rows / (rows - 1))
      let latest = graph.latestValue(ofVariable: old)
      let new =
        learns
        ? try graph.apply(average, latest, results[index + 1], name: "\(node.name).statistics")
        : try movingAverage(old, results[index + 1], momentum, node)
      if learns, case .variable = graph.source(of: old) { try graph.addUpdate(of: old, to: new) }
      moved.append(Imported("\(node.name).statistics", new, shape: [graph.shape(of: new).count]))
    }
    return moved
  }

  private mutating func movingAverage(_ old: Value, _ new: Value, _ momentum: Double, _ node: NodeReader)
    throws(TesseraError) -> Value
  {
    let kept = try graph.apply(Affine(factor: momentum), old, name: "\(node.name).kept")
    let added = try graph.apply(Affine(factor: 1 - momentum), new, name: "\(node.name).added")
    return try graph.apply(Add(), kept, added, name: "\(node.name).statistics")
  }

  /// x scale + shift
  private mutating func scaled(_ x: Imported, _ scale: Imported?, _ shift: Imported?, _ node: NodeReader)
    throws(TesseraError) -> Imported
  {
    var y = x
    if let scale { y = try pairs(.multiply, [y, scale], node) }
    if let shift { y = try pairs(.add, [y, shift], node) }
    return y
  }

  fileprivate mutating func instanceNormalization(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try unfolded(node.input(0))
    try requireFloats([x], node)
    try node.require(x.rank >= 3, .shapeMismatch, "input 0", "[N, C, ...]", found: "\(Shape(x.shape))")
    let epsilon = try node.number("epsilon", else: Double(Float(1e-5)))
    let axes = Array(2..<x.rank).map(x.stored).sorted()
    let y = try graph.add(Standardize(axes: axes, epsilon: epsilon), [anyOrder(x)], name: node.name)[0]
    return try scaled(
      x.replacing(y), perChannel(node.input(1), rank: x.rank), perChannel(node.input(2), rank: x.rank), node)
  }

  fileprivate mutating func groupNormalization(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try unfolded(node.input(0))
    try requireFloats([x], node)
    let groups = try node.integer("num_groups", else: 1)
    try node.require(
      x.rank >= 2 && groups >= 1 && x.shape[1] % groups == 0, .shapeMismatch, "attribute num_groups",
      "a number that divides the channels", found: "\(groups) of \(Shape(x.shape))")
    let epsilon = try node.number("epsilon", else: Double(Float(1e-5)))
    let grouped = try reshape(
      x, to: [x.shape[0], groups, x.shape[1] / groups] + x.shape[2...], name: node.name)
    let axes = Array(2..<grouped.rank).map(grouped.stored).sorted()
    let y = grouped.replacing(
      try graph.add(Standardize(axes: axes, epsilon: epsilon), [anyOrder(grouped)], name: node.name)[0])
    let (scale, shift) = (try node.input(1), try node.input(2))
    // Before opset 21 one number a group, since then one a channel.
    if scale.count == groups && shift.count == groups && groups != x.shape[1] {
      let result = try scaled(
        y, perChannel(scale, rank: grouped.rank), perChannel(shift, rank: grouped.rank), node)
      return try reshape(result, to: x.shape, name: node.name)
    }
    return try scaled(
      reshape(y, to: x.shape, name: node.name), perChannel(scale, rank: x.rank), perChannel(shift, rank: x.rank), node)
  }

  fileprivate mutating func layerNormalization(_ node: NodeReader) throws(TesseraError) -> [Imported] {
    let x = try unfolded(node.input(0))
    try requireFloats([x], node)
    let axis = try node.axis(try node.integer("axis", else: -1), rank: x.rank)
    let epsilon = try node.number("epsilon", else: Double(Float(1e-5)))
    let axes = Array(axis..<x.rank).map(x.stored).sorted()
    let results = try graph.add(Standardize(axes: axes, epsilon: epsilon), [anyOrder(x)], name: node.name)
    let y = try scaled(x.replacing(results[0]), node.input(1), node.has(2) ? node.input(2) : nil, node)
    let shape = x.shape.indices.map { $0 < axis ? x.shape[$0] : 1 }
    return [y]
      + results.dropFirst().map { Imported("\(node.name).statistics", $0, shape: shape, order: x.order) }
  }

  /// x / (bias + alpha / size times the sum of squares over neighbouring channels)^beta
  fileprivate mutating func localResponseNormalization(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try unfolded(node.input(0))
    try requireFloats([x], node)
    try node.require(x.rank >= 2, .shapeMismatch, "input 0", "[N, C, ...]", found: "\(Shape(x.shape))")
    let size = try node.integer("size", else: 1)
    let channels = x.shape[1]
    try node.require(1..<1 << 31 ~= size, "attribute size", "1 or more", found: "\(size)")
    try node.require(
      channels <= AxisSelection.longestTable && channels * min(size, channels) <= AxisSelection.longestTable,
      .unsupported, "attribute size",
      "at most \(AxisSelection.longestTable) terms", found: "\(size)")
    let alpha = try node.number("alpha", else: Double(Float(1e-4)))
    let value = try anyOrder(x)
    let squares = try graph.apply(Multiply(), value, value, name: "\(node.name).square")
    let terms = (0..<channels).map { c in
      (max(0, c - (size - 1) / 2)...min(channels - 1, c + size / 2)).map { (index: $0, weight: alpha / Double(size)) }
    }
    let sums = try graph.apply(
      AxisCombination(axis: x.stored(1), size: channels, terms: terms), squares, name: "\(node.name).sum")
    let shifted = try graph.apply(
      Affine(factor: 1, offset: node.number("bias", else: 1)), sums, name: "\(node.name).shift")
    let exponent = try scalar(-node.number("beta", else: 0.75), like: shifted)
    let factor = try graph.apply(Elementwise(.power), shifted, exponent, name: "\(node.name).power")
    return x.replacing(try graph.apply(Multiply(), value, factor, name: node.name))
  }

  fileprivate mutating func softmax(_ node: NodeReader, isLogarithmic: Bool) throws(TesseraError) -> Imported {
    let x = try unfolded(node.input(0))
    try requireFloats([x], node)
    let axis = try node.axis(try node.integer("axis", else: opset < 13 ? 1 : -1), rank: x.rank)
    // Before opset 13 over all dimensions from the axis on.
    if opset < 13, x.shape[(axis + 1)...].contains(where: { $0 != 1 }) {
      let rows = [x.shape[..<axis].reduce(1, *), x.shape[axis...].reduce(1, *)]
      let matrix = try graph.reshape(value(x), to: Shape(rows), name: node.name)
      let y =
        isLogarithmic
        ? try graph.apply(LogSoftmax(axis: 1), matrix, name: node.name)
        : try graph.apply(SoftmaxOperation(), matrix, name: node.name)
      return Imported(node.name, try graph.reshape(y, to: Shape(x.shape), name: node.name), shape: x.shape)
    }
    if isLogarithmic {
      return x.replacing(
        try graph.apply(LogSoftmax(axis: x.stored(axis)), anyOrder(x), name: node.name))
    }
    let order = x.order.filter { $0 != axis } + [axis]
    return try apply(SoftmaxOperation(), [value(x, order: order)], node, shape: x.shape, order: order)
  }
}
