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

  fileprivate mutating func instanceNormalization(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try node.input(0)
    try node.require(x.rank >= 3, .shapeMismatch, "input 0", "[N, C, ...]", found: "\(Shape(x.shape))")
    return try normalizeGroups(node, groups: max(1, x.shape[1]))
  }

  fileprivate mutating func groupNormalization(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try node.input(0)
    let groups = try node.integer("num_groups", else: 1)
    try node.require(
      x.rank >= 2 && groups >= 1 && x.shape[1] % groups == 0, .shapeMismatch, "attribute num_groups",
      "a number that divides the channels", found: "\(groups) of \(Shape(x.shape))")
    return try normalizeGroups(node, groups: groups)
  }

  private mutating func normalizeGroups(_ node: NodeReader, groups: Int) throws(TesseraError) -> Imported {
    let x = try node.input(0)
    try requireFloats([x], node)
    let epsilon = try node.number("epsilon", else: Double(Float(1e-5)))
    var operands = [try image(x)]
    for index in 1...2 {
      let parameter = try node.input(index)
      var value = try value(parameter)
      // Before opset 21 one number a group, since then one a channel.
      if parameter.shape == [groups], groups != x.shape[1] {
        let places = (0..<x.shape[1]).map { $0 / (x.shape[1] / groups) }
        value = try graph.apply(Select([.indices(places)]), value, name: "\(node.name).channels")
      }
      operands.append(value)
    }
    let y = try graph.add(GroupNormalization(groups: groups, epsilon: epsilon), operands, name: node.name)[0]
    return Imported(node.name, y, shape: x.shape, order: channelsLast(x.rank))
  }

  fileprivate mutating func layerNormalization(_ node: NodeReader) throws(TesseraError) -> [Imported] {
    let x = try unfolded(node.input(0))
    try requireFloats([x], node)
    let axis = try node.axis(try node.integer("axis", else: -1), rank: x.rank)
    let epsilon = try node.number("epsilon", else: Double(Float(1e-5)))
    // What is normalized lies together, in the order that it has.
    let rowOrder = x.order.filter { $0 >= axis }
    let order = x.order.filter { $0 < axis } + rowOrder
    let row = Shape(rowOrder.map { x.shape[$0] })
    var operands = [try value(x, order: order)]
    for index in 1...2 {
      guard index == 1 || node.has(index) else {
        let type = TensorType(row, graph.type(of: operands[0]).element)
        operands.append(try graph.addConstant(Array(repeating: 0, count: row.count), type))
        continue
      }
      let parameter = try node.input(index)
      try node.require(
        parameter.rank <= row.rank, .unsupported, "input \(index)", "at most \(row.rank) dimensions",
        found: "\(Shape(parameter.shape))")
      var value = try aligned(parameter, to: rowOrder.map { $0 - axis })
      let shape = graph.shape(of: value)
      if shape != row {
        let axes = zip(shape.dimensions, row.dimensions).map { $0 == 1 && $1 != 1 ? AxisSelection.repeated($1) : .all }
        value = try graph.apply(Select(axes), value, name: "\(node.name).expanded")
      }
      operands.append(value)
    }
    let results = try graph.add(LayerNormalization(axis: axis, epsilon: epsilon), operands, name: node.name)
    let shape = x.shape.indices.map { $0 < axis ? x.shape[$0] : 1 }
    return [Imported(node.name, results[0], shape: x.shape, order: order)]
      + results.dropFirst().map { Imported("\(node.name).statistics", $0, shape: shape, order: order) }
  }

  fileprivate mutating func localResponseNormalization(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try node.input(0)
    try requireFloats([x], node)
    try node.require(x.rank >= 2, .shapeMismatch, "input 0", "[N, C, ...]", found: "\(Shape(x.shape))")
    let size = try node.integer("size", else: 1)
    try node.require(1..<1 << 31 ~= size, "attribute size", "1 or more", found: "\(size)")
    let operation = LocalResponseNormalization(
      size: size, alpha: try node.number("alpha", else: Double(Float(1e-4))), beta: try node.number("beta", else: 0.75),
      bias: try node.number("bias", else: 1))
    let y = try graph.apply(operation, image(x), name: node.name)
    return Imported(node.name, y, shape: x.shape, order: channelsLast(x.rank))
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
