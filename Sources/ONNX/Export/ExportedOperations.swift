import TesseraGraph

// Each operation as one node or a few. Attributes of windows are in elements on both sides.

extension Exporter {
  mutating func write(_ node: Node) throws(TesseraError) {
    switch node.operation {
    case let operation as Convolution2D: try write(operation, node)
    case let operation as ConvolutionBackwardData: try write(operation, node)
    case let operation as MatrixProduct: try write(operation, node)
    case is BatchedMatrixProduct: try give(node, "MatMul", [plain(node.inputs[0]), plain(node.inputs[1])], .plain)
    case let operation as Normalize: try write(operation, node)
    case let operation as LayerNormalization:
      try give(
        node, "LayerNormalization", [plain(node.inputs[0]), plain(node.inputs[1]), plain(node.inputs[2])], .plain,
        [.integer("axis", operation.axis), .number("epsilon", operation.epsilon)])
    case let operation as GroupNormalization: try write(operation, node)
    case let operation as LocalResponseNormalization:
      try give(
        node, "LRN", [image(of: node)], .image,
        [
          .integer("size", operation.size), .number("alpha", operation.alpha), .number("beta", operation.beta),
          .number("bias", operation.bias),
        ])
    case let operation as MaxPool2DOperation: try pool(node, "MaxPool", operation.window, [])
    case let operation as AveragePool2DOperation:
      try pool(
        node, "AveragePool", operation.window, [.integer("count_include_pad", operation.countsPadding ? 1 : 0)])
    case let operation as Activate: try activate(node, operation.function)
    case let operation as MapElements: try map(node, operation.function)
    case is Add: try pairs(node, "Add")
    case is Subtract: try pairs(node, "Sub")
    case is Multiply: try pairs(node, "Mul")
    case let operation as Elementwise: try pairs(node, operatorName(operation.function, node))
    case let operation as Affine: try write(operation, node)
    case let operation as ReshapeOperation: try write(operation, node)
    case let operation as Transpose: try write(operation, node)
    case is ConcatenateOperation: try concatenate(node)
    case let operation as ChannelSlice: try write(operation, node)
    case is SoftmaxOperation:
      let isImage = layout(node.inputs[0]) == .image
      try give(
        node, "Softmax", [isImage ? name(node.inputs[0]) : plain(node.inputs[0])], isImage ? .image : .plain,
        [.integer("axis", isImage ? 1 : -1)])
    case let operation as Reduce: try write(operation, node)
    case let operation as ArgMax:
      try give(
        node, "ArgMax", [plain(node.inputs[0])], .plain,
        [
          .integer("axis", operation.axis), .integer("keepdims", 0),
          .integer("select_last_index", operation.selectsLast ? 1 : 0),
        ])
    case let operation as Broadcast:
      let shape = constant(HostTensor(integers: operation.shape.dimensions), near: node.name)
      try give(node, "Expand", [plain(node.inputs[0]), shape], .plain)
    case let operation as Select: try write(operation, node)
    default: throw unsupported(node)
    }
  }

  private func unsupported(_ node: Node) -> TesseraError {
    TesseraError(.unsupported, at: node.name, expected: "an operation that ONNX has", found: node.operation.name)
  }

  /// A node for the first result.
  private mutating func give(
    _ node: Node, _ type: String, _ inputs: [String], _ layout: ExportedLayout, _ attributes: [ExportedAttribute] = []
  ) throws(TesseraError) {
    let output = unique(node.name)
    add(type, inputs, [output], attributes)
    define(node.outputs[0], output, layout)
  }

  // MARK: Windows

  private func attributes(_ window: ResolvedWindow2D) -> [ExportedAttribute] {
    [
      .integers("kernel_shape", [window.kernel.y, window.kernel.x]),
      .integers("strides", [window.stride.y, window.stride.x]),
      .integers("dilations", [window.dilation.y, window.dilation.x]),
      .integers("pads", [window.top, window.left, window.bottom, window.right]),
    ]
  }

  /// Filters [R, S, C, K] as [K, C, R, S].
  private mutating func filters(_ value: Value) throws(TesseraError) -> String {
    if let tensor = try known(value) {
      let name = graph.name(of: value)
      initialize(name, tensor.permuted([3, 2, 0, 1]))
      return name
    }
    let source = try plain(value)
    let result = unique("\(source).filters")
    add("Transpose", [source], [result], [.integers("perm", [3, 2, 0, 1])])
    return result
  }

  private mutating func write(_ operation: Convolution2D, _ node: Node) throws(TesseraError) {
    var inputs = [try image(node.inputs[0]), try filters(node.inputs[1])]
    if node.inputs.count == 3 { inputs.append(try plain(node.inputs[2])) }
    try give(
      node, "Conv", inputs, .image, attributes(operation.window) + [.integer("group", operation.groups)])
    try activateResult(node, operation.activation)
  }

  private mutating func write(_ operation: ConvolutionBackwardData, _ node: Node) throws(TesseraError) {
    var inputs = [try image(node.inputs[0]), try filters(node.inputs[1])]
    if node.inputs.count == 3 { inputs.append(try plain(node.inputs[2])) }
    let (window, x) = (operation.window, graph.shape(of: node.inputs[0]))
    let reached = [
      (x[1] - 1) * window.stride.y + (window.kernel.y - 1) * window.dilation.y + 1 - window.top - window.bottom,
      (x[2] - 1) * window.stride.x + (window.kernel.x - 1) * window.dilation.x + 1 - window.left - window.right,
    ]
    try give(
      node, "ConvTranspose", inputs, .image,
      attributes(window) + [
        .integer("group", operation.groups),
        .integers("output_padding", [operation.inputHeight - reached[0], operation.inputWidth - reached[1]]),
      ])
    try activateResult(node, operation.activation)
  }

  private mutating func pool(
    _ node: Node, _ type: String, _ window: ResolvedWindow2D, _ more: [ExportedAttribute]
  ) throws(TesseraError) {
    try give(node, type, [image(node.inputs[0])], .image, attributes(window) + more)
  }

  private mutating func write(_ operation: Normalize, _ node: Node) throws(TesseraError) {
    let x = node.inputs[0]
    let rank = graph.shape(of: x).rank
    // Operands of the graph: mean, variance, scale, shift; the model wants the latter first.
    var inputs = [rank == 4 ? try image(x) : try plain(x)]
    guard rank == 4 || rank == 2 else { throw unsupported(node) }
    for index in [3, 4, 1, 2] { inputs.append(try plain(node.inputs[index])) }
    try give(
      node, "BatchNormalization", inputs, rank == 4 ? .image : .plain, [.number("epsilon", operation.epsilon)])
  }

  /// GroupNormalization of this version has a scale a group: as PyTorch writes it, groups are channels of one dimension, which
  /// are normalized and go back to be scaled.
  private mutating func write(_ operation: GroupNormalization, _ node: Node) throws(TesseraError) {
    let source = try image(of: node)
    let (scale, shift) = (try plain(node.inputs[1]), try plain(node.inputs[2]))
    let shape = graph.shape(of: node.inputs[0])
    let epsilon = ExportedAttribute.number("epsilon", operation.epsilon)
    if operation.groups == shape[3] {
      return try give(node, "InstanceNormalization", [source, scale, shift], .image, [epsilon])
    }
    let type = graph.type(of: node.inputs[1]).element
    func filled(_ number: Double) -> HostTensor {
      type == .float64
        ? HostTensor(.double, [operation.groups], .doubles(Array(repeating: number, count: operation.groups)))
        : HostTensor(.float, [operation.groups], .floats(Array(repeating: Float(number), count: operation.groups)))
    }
    let (one, zero) = (constant(filled(1), near: node.name), constant(filled(0), near: node.name))
    let groups = reshaped(source, [shape[0], operation.groups, shape.count / (shape[0] * operation.groups)])
    let normalized = unique("\(node.name).normalized")
    add("InstanceNormalization", [groups, one, zero], [normalized], [epsilon])
    let images = reshaped(normalized, [shape[0], shape[3], shape[1], shape[2]])
    let scaled = unique("\(node.name).scaled")
    add("Mul", [images, reshaped(scale, [shape[3], 1, 1])], [scaled])
    try give(node, "Add", [scaled, reshaped(shift, [shape[3], 1, 1])], .image)
  }

  /// The first operand with its channels first.
  private mutating func image(of node: Node) throws(TesseraError) -> String {
    guard graph.shape(of: node.inputs[0]).rank == 4, graph.shape(of: node.inputs[0]).count > 0 else {
      throw unsupported(node)
    }
    return try image(node.inputs[0])
  }

  // MARK: Products

  private mutating func write(_ operation: MatrixProduct, _ node: Node) throws(TesseraError) {
    let (a, b) = (node.inputs[0], node.inputs[1])
    var inputs: [String]
    var attributes: [ExportedAttribute] = [.integer("transA", operation.transposeA ? 1 : 0)]
    if let weights = try known(b) {
      // Published as [K, C], columns in the order of flattened [C, H, W].
      var rows = operation.transposeB ? weights.permuted([1, 0]) : weights
      var source = ""
      if case .flattened(let image) = layout(a), !operation.transposeA {
        rows = rows.reshaped(image + [rows.shape[1]]).permuted([2, 0, 1, 3]).reshaped(rows.shape)
        source = try name(a)
      } else {
        source = try plain(a)
      }
      let name = graph.name(of: b)
      initialize(name, rows.permuted([1, 0]))
      inputs = [source, name]
      attributes.append(.integer("transB", 1))
    } else {
      inputs = [try plain(a), try plain(b)]
      attributes.append(.integer("transB", operation.transposeB ? 1 : 0))
    }
    if node.inputs.count == 3 { inputs.append(try plain(node.inputs[2])) }
    try give(node, "Gemm", inputs, .plain, attributes)
    try activateResult(node, operation.activation)
  }

  // MARK: Elements

  private mutating func activateResult(_ node: Node, _ function: ActivationFunction) throws(TesseraError) {
    guard function.kind != .identity else { return }
    let value = node.outputs[0]
    let (source, layout) = (try name(value), layout(value))
    define(value, try activation(function, source), layout)
  }

  private mutating func activate(_ node: Node, _ function: ActivationFunction) throws(TesseraError) {
    let source = try name(node.inputs[0])
    define(node.outputs[0], try activation(function, source), layout(node.inputs[0]))
  }

  private mutating func activation(_ function: ActivationFunction, _ source: String) throws(TesseraError) -> String {
    let result = unique("\(source).activation")
    switch function.kind {
    case .identity: add("Identity", [source], [result])
    case .relu: add("Relu", [source], [result])
    case .sigmoid: add("Sigmoid", [source], [result])
    case .tanh: add("Tanh", [source], [result])
    case .leakyRelu(let slope): add("LeakyRelu", [source], [result], [.number("alpha", slope)])
    case .clip(let lower, let upper):
      let bounds = [lower, upper].map { constant(.scalar($0), near: result) }
      add("Clip", [source] + bounds, [result])
    }
    return result
  }

  private mutating func map(_ node: Node, _ function: ElementFunction) throws(TesseraError) {
    let (source, layout) = (try name(node.inputs[0]), layout(node.inputs[0]))
    switch function.kind {
    case .absolute: try give(node, "Abs", [source], layout)
    case .squareRoot: try give(node, "Sqrt", [source], layout)
    case .exponential: try give(node, "Exp", [source], layout)
    case .logarithm: try give(node, "Log", [source], layout)
    case .reciprocal: try give(node, "Reciprocal", [source], layout)
    case .errorFunction: try give(node, "Erf", [source], layout)
    case .floor: try give(node, "Floor", [source], layout)
    case .ceiling: try give(node, "Ceil", [source], layout)
    case .roundToEven: try give(node, "Round", [source], layout)
    case .exponentialUnit(let scale, let alpha, 1):
      try give(node, "Selu", [source], layout, [.number("alpha", alpha), .number("gamma", scale)])
    case .exponentialUnit(1, let alpha, _): try give(node, "Celu", [source], layout, [.number("alpha", alpha)])
    case .exponentialUnit: throw unsupported(node)
    case .hardSigmoid(let slope, let offset):
      try give(node, "HardSigmoid", [source], layout, [.number("alpha", slope), .number("beta", offset)])
    case .hardSwish: try give(node, "HardSwish", [source], layout)
    case .swish(let rate):
      let (scaled, sigmoid) = (unique("\(node.name).scaled"), unique("\(node.name).sigmoid"))
      add("Mul", [source, constant(.scalar(rate), near: node.name)], [scaled])
      add("Sigmoid", [scaled], [sigmoid])
      try give(node, "Mul", [source, sigmoid], layout)
    case .gelu: try give(node, "Gelu", [source], layout)
    case .geluTanh: try give(node, "Gelu", [source], layout, [.string("approximate", "tanh")])
    case .mish: try give(node, "Mish", [source], layout)
    case .softplus: try give(node, "Softplus", [source], layout)
    case .softsign: try give(node, "Softsign", [source], layout)
    }
  }

  private func operatorName(_ function: BinaryFunction, _ node: Node) throws(TesseraError) -> String {
    switch function.kind {
    case .add: "Add"
    case .subtract: "Sub"
    case .multiply: "Mul"
    case .divide: "Div"
    case .power: "Pow"
    case .maximum: "Max"
    case .minimum: "Min"
    case .leak: "PRelu"
    case .equal, .slopeBelowZero: throw unsupported(node)
    }
  }

  private mutating func pairs(_ node: Node, _ type: String) throws(TesseraError) {
    let (a, b) = (node.inputs[0], node.inputs[1])
    let (first, second) = (graph.shape(of: a), graph.shape(of: b))
    if layout(a) == layout(b), first == second || layout(a) == .plain {
      return try give(node, type, [name(a), name(b)], layout(a))
    }
    let y = graph.shape(of: node.outputs[0])
    if y.rank == 4, layout(a) == .image || layout(b) == .image {
      return try give(node, type, [broadcastImage(a), broadcastImage(b)], .image)
    }
    if second == .scalar { return try give(node, type, [name(a), plain(b)], layout(a)) }
    if first == .scalar { return try give(node, type, [plain(a), name(b)], layout(b)) }
    try give(node, type, [plain(a), plain(b)], .plain)
  }

  /// An operand beside an image: one of rank 4, or one that is repeated along its first dimensions.
  private mutating func broadcastImage(_ value: Value) throws(TesseraError) -> String {
    let shape = graph.shape(of: value)
    if shape.rank == 4 { return try image(value) }
    let sizes = shape.aligned(to: 4).dimensions
    let source = try plain(value)
    let images = reshaped(source, sizes)
    let result = unique("\(source).channels_first")
    add("Transpose", [images], [result], [.integers("perm", [0, 3, 1, 2])])
    return result
  }

  private mutating func write(_ operation: Affine, _ node: Node) throws(TesseraError) {
    let layout = layout(node.inputs[0])
    var source = try name(node.inputs[0])
    if operation.factor != 1 || operation.offset == 0 {
      let factor = constant(.scalar(operation.factor), near: node.name)
      let product = unique("\(node.name).product")
      add("Mul", [source, factor], [product])
      source = product
    }
    if operation.offset != 0 {
      let offset = constant(.scalar(operation.offset), near: node.name)
      let sum = unique("\(node.name).sum")
      add("Add", [source, offset], [sum])
      source = sum
    }
    define(node.outputs[0], source, layout)
  }

  // MARK: Shapes

  private mutating func write(_ operation: ReshapeOperation, _ node: Node) throws(TesseraError) {
    let x = node.inputs[0]
    let (from, to) = (graph.shape(of: x), operation.shape)
    if layout(x) == .image, to.rank == 2, to[0] == from[0] {
      let isPixel = from[1] * from[2] == 1
      return try give(
        node, "Flatten", [name(x)], isPixel ? .plain : .flattened(Array(from.dimensions[1...])), [.integer("axis", 1)])
    }
    define(node.outputs[0], reshaped(try plain(x), to.dimensions), .plain)
  }

  private mutating func write(_ operation: Transpose, _ node: Node) throws(TesseraError) {
    let x = node.inputs[0]
    // The model's images have their channels first anyway.
    if operation == .fromNCHW, layout(x) == .plain { return define(node.outputs[0], try name(x), .image) }
    if operation == .toNCHW, layout(x) == .image { return define(node.outputs[0], try name(x), .plain) }
    try give(node, "Transpose", [plain(x)], .plain, [.integers("perm", operation.permutation)])
  }

  private mutating func concatenate(_ node: Node) throws(TesseraError) {
    let areImages = node.inputs.allSatisfy { layout($0) == .image }
    var inputs: [String] = []
    for value in node.inputs { inputs.append(areImages ? try name(value) : try plain(value)) }
    try give(
      node, "Concat", inputs, areImages ? .image : .plain, [.integer("axis", areImages ? 1 : -1)])
  }

  private mutating func write(_ operation: ChannelSlice, _ node: Node) throws(TesseraError) {
    let x = node.inputs[0]
    let isImage = layout(x) == .image
    let bounds = [operation.channels.lowerBound, operation.channels.upperBound, isImage ? 1 : -1].map {
      constant(HostTensor(integers: [$0]), near: node.name)
    }
    try give(node, "Slice", [isImage ? name(x) : plain(x)] + bounds, isImage ? .image : .plain)
  }

  private mutating func write(_ operation: Reduce, _ node: Node) throws(TesseraError) {
    let x = node.inputs[0]
    let isImage = layout(x) == .image
    let types: [ReductionFunction.Kind: String] = [
      .sum: "ReduceSum", .maximum: "ReduceMax", .minimum: "ReduceMin", .product: "ReduceProd",
    ]
    guard let type = types[operation.function.kind] else { throw unsupported(node) }
    let axes = operation.axes.map { isImage ? [0, 2, 3, 1][$0] : $0 }
    try give(
      node, type,
      [isImage ? name(x) : plain(x), constant(HostTensor(integers: axes.sorted()), near: node.name)],
      isImage ? .image : .plain, [.integer("keepdims", 1)])
  }

  /// A dimension at a time.
  private mutating func write(_ operation: Select, _ node: Node) throws(TesseraError) {
    let x = node.inputs[0]
    guard operation.filler == 0 || !operation.axes.contains(where: \.hasFiller) else { throw unsupported(node) }
    var source = try plain(x)
    for (axis, selection) in operation.axes.enumerated() where selection != .all {
      let size = graph.shape(of: x)[axis]
      let places = selection.coordinates(of: size)
      guard !places.contains(-1) else { throw unsupported(node) }
      let result = unique("\(node.name).axis\(axis)")
      add(
        "Gather", [source, constant(HostTensor(integers: places), near: result)], [result], [.integer("axis", axis)])
      source = result
    }
    define(node.outputs[0], source, .plain)
  }
}

extension AxisSelection {
  fileprivate var hasFiller: Bool { if case .indices(let indices) = kind { indices.contains(-1) } else { false } }
}
