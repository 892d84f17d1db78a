import TesseraGraph

extension Operators {
  static let elementwise: [String: Handler] = [
    "Identity": { (_, n) throws(TesseraError) in [try n.input(0)] },
    "Relu": { (i, n) throws(TesseraError) in [try i.activate(n, .relu)] },
    "Sigmoid": { (i, n) throws(TesseraError) in [try i.activate(n, .sigmoid)] },
    "Tanh": { (i, n) throws(TesseraError) in [try i.activate(n, .tanh)] },
    "LeakyRelu": { (i, n) throws(TesseraError) in
      let slope = try n.number("alpha", else: Double(Float(0.01)))
      return [try slope > 0 ? i.activate(n, .leakyRelu(slope: slope)) : i.leak(n, by: slope)]
    },
    "PRelu": { (i, n) throws(TesseraError) in
      [try i.pairs(.prelu, [n.input(0), n.input(1)], n)]
    },
    "Clip": { (i, n) throws(TesseraError) in [try i.clip(n)] },
    "Neg": { (i, n) throws(TesseraError) in [try i.map(n, Affine(factor: -1))] },
    "Abs": { (i, n) throws(TesseraError) in [try i.map(n, .absolute)] },
    "Sqrt": { (i, n) throws(TesseraError) in [try i.map(n, .squareRoot)] },
    "Exp": { (i, n) throws(TesseraError) in [try i.map(n, .exponential)] },
    "Log": { (i, n) throws(TesseraError) in [try i.map(n, .logarithm)] },
    "Reciprocal": { (i, n) throws(TesseraError) in [try i.map(n, .reciprocal)] },
    "Erf": { (i, n) throws(TesseraError) in [try i.map(n, .errorFunction)] },
    "Floor": { (i, n) throws(TesseraError) in [try i.map(n, .floor)] },
    "Ceil": { (i, n) throws(TesseraError) in [try i.map(n, .ceiling)] },
    "Round": { (i, n) throws(TesseraError) in [try i.map(n, .roundToEven)] },
    "Elu": { (i, n) throws(TesseraError) in [try i.map(n, .elu(alpha: n.number("alpha", else: 1)))] },
    "Selu": { (i, n) throws(TesseraError) in
      let alpha = try n.number("alpha", else: Double(Float(1.67326319217681884765625)))
      return [
        try i.map(n, .selu(alpha: alpha, gamma: n.number("gamma", else: Double(Float(1.05070102214813232421875)))))
      ]
    },
    "Celu": { (i, n) throws(TesseraError) in [try i.map(n, .celu(alpha: n.number("alpha", else: 1)))] },
    "HardSigmoid": { (i, n) throws(TesseraError) in
      let slope = try n.number("alpha", else: Double(Float(0.2)))
      return [try i.map(n, .hardSigmoid(slope: slope, offset: n.number("beta", else: 0.5)))]
    },
    "HardSwish": { (i, n) throws(TesseraError) in [try i.map(n, .hardSwish)] },
    "Swish": { (i, n) throws(TesseraError) in [try i.map(n, .swish(rate: n.number("alpha", else: 1)))] },
    "Gelu": { (i, n) throws(TesseraError) in
      let kind = try n.choice("approximate", else: "none", of: ["none", "tanh"])
      return [try i.map(n, kind == "tanh" ? .geluTanh : .gelu)]
    },
    "Mish": { (i, n) throws(TesseraError) in [try i.map(n, .mish)] },
    "Softplus": { (i, n) throws(TesseraError) in [try i.map(n, .softplus)] },
    "Softsign": { (i, n) throws(TesseraError) in [try i.map(n, .softsign)] },
    "Add": { (i, n) throws(TesseraError) in [try i.pairs(.add, [n.input(0), n.input(1)], n)] },
    "Sub": { (i, n) throws(TesseraError) in [try i.pairs(.subtract, [n.input(0), n.input(1)], n)] },
    "Mul": { (i, n) throws(TesseraError) in [try i.pairs(.multiply, [n.input(0), n.input(1)], n)] },
    "Div": { (i, n) throws(TesseraError) in [try i.pairs(.divide, [n.input(0), n.input(1)], n)] },
    "Pow": { (i, n) throws(TesseraError) in [try i.power(n)] },
    "Sum": { (i, n) throws(TesseraError) in [try i.all(.add, n)] },
    "Max": { (i, n) throws(TesseraError) in [try i.all(.maximum, n)] },
    "Min": { (i, n) throws(TesseraError) in [try i.all(.minimum, n)] },
    "Mean": { (i, n) throws(TesseraError) in
      let sum = try i.all(.add, n)
      let count = max(1, n.inputs.count)
      let value = try i.graph.apply(Affine(factor: 1 / Double(count)), i.anyOrder(sum), name: n.name)
      return [sum.replacing(value)]
    },
    "Equal": { (i, n) throws(TesseraError) in [try i.compare(n, .equal)] },
    "Less": { (i, n) throws(TesseraError) in [try i.compare(n, .less)] },
    "LessOrEqual": { (i, n) throws(TesseraError) in [try i.compare(n, .lessOrEqual)] },
    "Greater": { (i, n) throws(TesseraError) in [try i.compare(n, .greater)] },
    "GreaterOrEqual": { (i, n) throws(TesseraError) in [try i.compare(n, .greaterOrEqual)] },
    "Where": { (i, n) throws(TesseraError) in
      try i.requireFloats([n.input(1), n.input(2)], n)
      let (values, shape, order) = try i.expanded([n.input(0), n.input(1), n.input(2)], n)
      return [try i.apply(Choose(), values, n, shape: shape, order: order)]
    },
    "Cast": { (i, n) throws(TesseraError) in [try i.cast(n)] },
    "CastLike": { (i, n) throws(TesseraError) in
      let element = i.elementType(try n.input(1))
      return [try i.convert(n.input(0), to: element, n)]
    },
    "Dropout": { (i, n) throws(TesseraError) in try i.dropout(n) },
  ]
}

extension Importer {
  /// A function of single elements, whatever the order they are stored in.
  fileprivate mutating func map(_ node: NodeReader, _ operation: any Operation) throws(TesseraError) -> Imported {
    let x = try node.input(0)
    try requireFloats([x], node)
    return x.replacing(try graph.apply(operation, anyOrder(x), name: node.name))
  }

  fileprivate mutating func map(_ node: NodeReader, _ function: ElementFunction) throws(TesseraError) -> Imported {
    try map(node, MapElements(function))
  }

  fileprivate mutating func activate(_ node: NodeReader, _ function: ActivationFunction) throws(TesseraError)
    -> Imported
  { try map(node, Activate(function: function)) }

  /// A slope that no activation has.
  fileprivate mutating func leak(_ node: NodeReader, by slope: Double) throws(TesseraError) -> Imported {
    try pairs(.prelu, [node.input(0), Imported("\(node.name).slope", constant: .scalar(slope))], node)
  }

  /// A function of pairs of elements.
  mutating func pairs(_ function: BinaryFunction, _ operands: [Imported], _ node: NodeReader) throws(TesseraError)
    -> Imported
  {
    try requireFloats(operands, node)
    if operands[0].isFlattened, operands[1].count == 1, operands[1].rank <= operands[0].rank {
      let value = try graph.apply(
        Elementwise(function), anyOrder(operands[0]), graph.reshape(value(operands[1]), to: .scalar, name: node.name),
        name: node.name)
      return operands[0].replacing(value)
    }
    let (values, shape, order) = try aligned(operands, at: node)
    return Imported(
      node.name, try graph.apply(Elementwise(function), values[0], values[1], name: node.name), shape: shape,
      order: order)
  }

  fileprivate mutating func all(_ function: BinaryFunction, _ node: NodeReader) throws(TesseraError) -> Imported {
    var result = try node.input(0)
    try requireFloats([result], node)
    for index in node.inputs.indices.dropFirst() {
      result = try pairs(function, [result, node.input(index)], node)
    }
    return result
  }

  func requireFloats(_ operands: [Imported], _ node: NodeReader) throws(TesseraError) {
    for operand in operands {
      let element = elementType(operand)
      try node.require(
        element?.isFloatingPoint == true, .unsupported, "input \(operand.name)", "floating point in a run",
        found: element?.description ?? "another element type")
    }
  }

  func elementType(_ x: Imported) -> ElementType? {
    switch x.source {
    case .constant(let tensor): tensor.elementType
    case .value(let value): graph.type(of: value).element
    case .missing: nil
    }
  }

  /// All operands in the shape and the order of the result.
  fileprivate mutating func expanded(_ operands: [Imported], _ node: NodeReader) throws(TesseraError)
    -> (values: [Value], shape: [Int], order: [Int])
  {
    let (values, shape, order) = try aligned(operands, at: node)
    var expanded: [Value] = []
    for value in values {
      expanded.append(
        try graph.apply(Expand(shape: Shape(order.map { shape[$0] })), value, name: "\(node.name).expand"))
    }
    return (expanded, shape, order)
  }

  fileprivate mutating func compare(_ node: NodeReader, _ comparison: Comparison) throws(TesseraError) -> Imported {
    let (values, shape, order) = try expanded([node.input(0), node.input(1)], node)
    return try apply(Compare(comparison), values, node, shape: shape, order: order)
  }

  fileprivate mutating func clip(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try node.input(0)
    var bounds: [Imported?] = [node.has(1) ? try node.input(1) : nil, node.has(2) ? try node.input(2) : nil]
    for (index, name) in ["min", "max"].enumerated() where node.has(name) {
      bounds[index] = Imported("\(node.name).\(name)", constant: .scalar(try node.number(name, else: 0)))
    }
    if let lower = bounds[0]?.constant?.doubles.first, let upper = bounds[1]?.constant?.doubles.first, lower < upper {
      return try activate(node, .clip(lower: lower, upper: upper))
    }
    if bounds[1] == nil, bounds[0]?.constant?.doubles.first == 0 { return try activate(node, .relu) }
    var result = x
    if let lower = bounds[0] { result = try pairs(.maximum, [result, lower], node) }
    if let upper = bounds[1] { result = try pairs(.minimum, [result, upper], node) }
    try requireFloats([result], node)
    return result
  }

  fileprivate mutating func power(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try node.input(0)
    var exponent = try node.input(1)
    try requireFloats([x], node)
    if let constant = exponent.constant {
      if constant.count == 1, constant.shape.count <= x.rank {
        switch constant.doubles[0] {
        case 1: return x
        case 2:
          let value = try anyOrder(x)
          return x.replacing(try graph.apply(Multiply(), value, value, name: node.name))
        case 0.5: return try map(node, .squareRoot)
        case -1: return try map(node, .reciprocal)
        default: break
        }
      }
      let numbers = HostTensor(.float, constant.shape, .floats(constant.doubles.map { Float($0) }))
      if elementType(x) == .float32 { exponent = Imported(exponent.name, constant: numbers) }
    } else if let element = elementType(exponent), let target = elementType(x), element != target {
      exponent = exponent.replacing(
        try graph.apply(Convert(to: target), anyOrder(exponent), name: "\(node.name).exponent"))
    }
    return try pairs(.power, [x, exponent], node)
  }

  fileprivate mutating func cast(_ node: NodeReader) throws(TesseraError) -> Imported {
    let kind = HostTensor.ElementKind(rawValue: try node.integer("to", else: 0))
    return try convert(node.input(0), to: kind.flatMap(HostTensor.elementType), node)
  }

  fileprivate mutating func convert(_ x: Imported, to target: ElementType?, _ node: NodeReader) throws(TesseraError)
    -> Imported
  {
    let element = elementType(x)
    guard let target, element == target || target.isFloatingPoint else {
      throw node.error(
        .unsupported, "type", expected: "a conversion to floating point in a run",
        found: target?.description ?? "another type")
    }
    if element == target { return x }
    let value = try anyOrder(x)
    let converted = try graph.apply(Convert(to: target), value, name: node.name)
    return x.replacing(converted)
  }

  /// Does nothing but in a model that learns.
  fileprivate mutating func dropout(_ node: NodeReader) throws(TesseraError) -> [Imported] {
    let x = try node.input(0)
    var ratio = try node.number("ratio", else: 0.5)
    if let given = try node.constant(1)?.doubles.first { ratio = given }
    let isTraining = try node.integers(2)?.first ?? 0 != 0
    try node.require(0..<1 ~= ratio, "ratio", "a ratio in 0..<1", found: "\(ratio)")
    var y = x
    if let builder, builder.mode == .training, ratio > 0 {
      let stream = StableHash.fnv1a(prefix + node.name)
      let seed = try graph.addVariable(ModelBuilder.seedVariable)
      let step = try graph.addVariable(ModelBuilder.stepVariable)
      y = x.replacing(
        try graph.add(
          DropoutOperation(probability: ratio, stream: stream), [anyOrder(x), seed, step], name: node.name)[0])
    } else if isTraining, ratio > 0 {
      return try drop(x, ratio, node)
    }
    guard node.proto.output.count > 1 else { return [y] }
    let one = try graph.addConstant([1], TensorType(.scalar, .bool))
    let mask = try graph.apply(Expand(shape: Shape(x.shape)), one, name: "\(node.name).mask")
    return [y, Imported("\(node.name).mask", mask, shape: x.shape)]
  }

  /// A model that asks for training states the seed of a mask, which then is the same in every run.
  private mutating func drop(_ x: Imported, _ ratio: Double, _ node: NodeReader) throws(TesseraError) -> [Imported] {
    guard let seed = try node.integer("seed") else {
      throw node.error(.unsupported, "training_mode", expected: "a seed, or a ratio of 0", found: "\(ratio)")
    }
    foldingBudget -= x.count
    try node.require(
      foldingBudget >= 0, .unsupported, "input 0", "a mask of a size that the file justifies", found: "\(x.count)")
    try requireFloats([x], node)
    var random = MersenneTwister(seed: UInt32(truncatingIfNeeded: seed))
    let keeps = (0..<x.count).map { _ in random.uniform() >= ratio }
    let mask = try graph.addConstant(keeps.map { $0 ? 1 : 0 }, TensorType(Shape(x.shape), .bool))
    let value = try value(x)
    let factors = try graph.addConstant(
      keeps.map { $0 ? 1 / (1 - ratio) : 0 }, TensorType(Shape(x.shape), graph.type(of: value).element))
    let y = try graph.apply(Multiply(), value, factors, name: node.name)
    return [
      Imported(node.name, y, shape: x.shape), Imported("\(node.name).mask", mask, shape: x.shape),
    ]
  }
}
