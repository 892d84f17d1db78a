import TesseraGraph
import TesseraRuntime

/// Grows a graph from a model's nodes.
struct Importer {
  var graph: Graph
  let options: ImportOptions
  let file: String
  let opset: Int
  let tensors: TensorReader
  /// What a layer is built into, for models that are one; nil for graphs of their own.
  let builder: ModelBuilder?
  /// Of the names of parameters.
  let prefix: String
  /// What the model's names stand for.
  var values: [String: Imported] = [:]
  /// The parameters that were needed, as the graph has them.
  private(set) var parameters: [ImportedParameter] = []
  private var parameterIndices: [String: Int] = [:]
  /// Constants that are weights: initializers, not what was computed of them.
  var parameterNames: Set<String> = []
  /// Running means and variances among the parameters: no optimizer moves them.
  var statisticNames: Set<String> = []
  /// Elements that constants computed while reading may still take: some, and as many again as the file holds.
  var foldingBudget = 1 << 22
  private var transposed: [Transposition: Value] = [:]
  /// Operators without a counterpart, with their nodes.
  private var unsupported: [(operation: String, node: String)] = []
  /// What else can't be done, as nodes said it.
  private var refusals: [TesseraError] = []

  init(
    graph: Graph, options: ImportOptions, file: String, opset: Int, tensors: TensorReader, builder: ModelBuilder? = nil
  ) {
    (self.graph, self.options, self.file, self.opset, self.tensors) = (graph, options, file, opset, tensors)
    self.builder = builder
    prefix = builder.map { $0.name().isEmpty ? "" : $0.name() + "." } ?? ""
  }

  // MARK: Nodes

  /// Reads all nodes. Those that can't be computed are collected, so that one error names them all.
  mutating func read(_ nodes: [Onnx_NodeProto]) throws(TesseraError) {
    for node in try Self.sorted(nodes, known: Set(values.keys), file: file) { try read(node) }
    guard unsupported.isEmpty, refusals.isEmpty else { throw unsupportedError }
  }

  private mutating func read(_ proto: Onnx_NodeProto) throws(TesseraError) {
    var inputs: [Imported?] = []
    for name in proto.input { inputs.append(name.isEmpty ? nil : values[name]) }
    let node = NodeReader(proto, inputs: inputs, opset: opset, tensors: tensors)
    let isStandard = proto.domain.isEmpty || proto.domain == "ai.onnx"
    let handler = isStandard ? Operators.handlers[proto.opType] : nil
    let isKnown = handler != nil || (isStandard && ConstantFolding.operators.contains(proto.opType))
    if !isKnown {
      let operation = isStandard ? proto.opType : "\(proto.domain).\(proto.opType)"
      unsupported.append((operation, NodeReader.describe(proto)))
    }
    guard isKnown, !inputs.contains(where: { $0?.isMissing == true }) else {
      for output in proto.output { values[output] = .missing(output) }
      return
    }
    if let folded = try ConstantFolding.fold(node, budget: &foldingBudget) {
      try define(proto, zip(proto.output, folded).map { Imported($0, constant: $1) })
      if proto.opType == "Constant" { parameterNames.formUnion(proto.output) }
      return
    }
    do throws(TesseraError) {
      guard let handler else {
        throw node.error(
          .unsupported, "operands", expected: "constants, since there is no \(proto.opType) in a run",
          found: "values known in a run only")
      }
      try define(proto, handler(&self, node))
    } catch {
      // What a graph's operation refuses it places by the node's name only.
      let placed =
        error.location.hasPrefix(file)
        ? error
        : TesseraError(
          error.code, at: "\(node.location): \(error.location)", expected: error.expected, found: error.found)
      guard placed.code == .unsupported else { throw placed }
      refusals.append(placed)
      for output in proto.output { values[output] = .missing(output) }
    }
  }

  private mutating func define(_ proto: Onnx_NodeProto, _ results: [Imported]) throws(TesseraError) {
    for (index, name) in proto.output.enumerated() where !name.isEmpty {
      guard index < results.count else {
        throw TesseraError(
          .unsupported, at: "\(file): \(NodeReader.describe(proto))", expected: "at most \(results.count) outputs",
          found: "\(proto.output.count)")
      }
      values[name] = results[index].renamed(name)
    }
  }

  private var unsupportedError: TesseraError {
    var nodes: [String: [String]] = [:]
    for missing in unsupported { nodes[missing.operation, default: []].append(missing.node) }
    var found = nodes.sorted { $0.key < $1.key }.map { "\($0.key) in \($0.value.joined(separator: ", "))" }
    found += refusals.map(\.description)
    return TesseraError(
      .unsupported, at: file, expected: "operators that Tessera has", found: found.joined(separator: "; "))
  }

  /// Nodes in an order in which they can be read; the order of the file is one in sound models.
  private static func sorted(_ nodes: [Onnx_NodeProto], known: Set<String>, file: String) throws(TesseraError)
    -> [Onnx_NodeProto]
  {
    var known = known
    var given: Set<String> = known
    for node in nodes {
      for name in node.output where !name.isEmpty {
        guard given.insert(name).inserted else {
          throw TesseraError(
            .duplicateName, at: "\(file): \(NodeReader.describe(node)): output", expected: "each name once",
            found: "\"\(name)\"")
        }
      }
    }
    for node in nodes {
      for name in node.input where !name.isEmpty {
        guard known.contains(name) else {
          throw TesseraError(
            .invalidFile, at: "\(file): \(NodeReader.describe(node)): input",
            expected: given.contains(name) ? "nodes after those they read, without cycles" : "a tensor of the model",
            found: "\"\(name)\"")
        }
      }
      known.formUnion(node.output)
    }
    return nodes
  }

  // MARK: Operands

  /// The value with its dimensions stored in an order.
  mutating func value(_ x: Imported, order: [Int]) throws(TesseraError) -> Value {
    switch x.source {
    case .constant(let tensor):
      return try constant(x.name, tensor, shape: order.map { x.shape[$0] }) { $0.permuted(order) }
    case .value(let value):
      if x.isFlattened {
        let image = try transpose(value, from: x.order, to: Array(x.imageShape.indices), name: x.name)
        let rows = try graph.reshape(image, to: Shape(x.shape), name: x.name)
        return try transpose(rows, from: Array(x.shape.indices), to: order, name: x.name)
      }
      return try transpose(value, from: x.order, to: order, name: x.name)
    case .missing:
      throw TesseraError(.notFound, at: "\(file): \(x.name)", expected: "a value", found: "none")
    }
  }

  /// The value as ONNX counts its dimensions.
  mutating func value(_ x: Imported) throws(TesseraError) -> Value { try value(x, order: Array(x.shape.indices)) }

  /// An image with its channels last; [N, C] is one already.
  mutating func image(_ x: Imported) throws(TesseraError) -> Value { try value(x, order: channelsLast(x.rank)) }

  /// The value as it is stored: for functions of single elements, which don't care.
  mutating func anyOrder(_ x: Imported) throws(TesseraError) -> Value {
    if case .value(let value) = x.source { return value }
    return try value(x)
  }

  private mutating func transpose(_ value: Value, from: [Int], to: [Int], name: String) throws(TesseraError) -> Value {
    if from == to { return value }
    let permutation = to.map { axis in from.firstIndex(of: axis) ?? 0 }
    let shape = graph.shape(of: value)
    let target = Shape(permutation.map { shape[$0] })
    // What only moves sizes of 1 moves nothing.
    let moved = permutation.filter { shape[$0] != 1 }
    if moved == moved.sorted() { return try graph.reshape(value, to: target, name: name) }
    let key = Transposition(value: value, permutation: permutation)
    if let done = transposed[key] { return done }
    let result = try graph.apply(Transpose(permutation: permutation), value, name: "\(name).transpose")
    transposed[key] = result
    return result
  }

  private struct Transposition: Hashable {
    let value: Value
    let permutation: [Int]
  }

  // MARK: Constants

  /// A constant in the graph, in another arrangement: a parameter where the model has it as a weight.
  mutating func constant(
    _ name: String, _ tensor: HostTensor, shape: [Int], _ arranged: (HostTensor) -> HostTensor
  ) throws(TesseraError) -> Value {
    let location = "\(file): \(name)"
    guard let element = tensor.elementType else {
      throw TesseraError(
        .unsupported, at: location, expected: "float32, float64, int32, int64, uint8 or bool", found: "\(tensor.kind)")
    }
    let stored = arranged(tensor).reshaped(shape)
    let type = TensorType(Shape(shape), element)
    guard parameterNames.contains(name), element.isFloatingPoint, tensor.count > 0 else {
      return try graph.addConstant(stored.doubles, type)
    }
    // One that is needed in several arrangements is a parameter in the first.
    if let index = parameterIndices[name] {
      let parameter = parameters[index]
      if parameter.stored == stored { return parameter.value }
      return try graph.addConstant(stored.doubles, type)
    }
    let isStatistic = statisticNames.contains(name)
    let value = try graph.addVariable(
      Variable(name: prefix + name, type: type, role: isStatistic ? .statistic : .weight, isTrainable: !isStatistic))
    parameterIndices[name] = parameters.count
    parameters.append(ImportedParameter(name: prefix + name, value: value, stored: stored))
    return value
  }

  /// A number that operations take as an operand.
  mutating func scalar(_ number: Double, like value: Value) throws(TesseraError) -> Value {
    try graph.addConstant([number], TensorType(.scalar, graph.type(of: value).element))
  }
}

/// A weight as the graph has it.
struct ImportedParameter {
  let name: String
  let value: Value
  let stored: HostTensor
}
