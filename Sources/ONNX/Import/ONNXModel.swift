public import Foundation
public import TesseraGraph
public import TesseraRuntime

/// A model in the ONNX format, read and checked as far as that needs no shapes.
public struct ONNXModel: Sendable {
  /// A tensor that a run of the model is given, or gives.
  public struct Port: Hashable, Sendable {
    /// As the model calls it.
    public let name: String
    /// Sizes in the order of ONNX; nil where the model leaves them open. Nil altogether where it doesn't say.
    public let dimensions: [Int?]?
    /// Nil for element types that graphs don't have, and for values that are no tensors.
    public let element: ElementType?
  }

  /// Where it came from, for errors.
  public let file: String
  /// Without initializers.
  public let inputs: [Port]
  /// In the model's order.
  public let outputs: [Port]
  /// The version of the standard operators.
  public let opset: Int
  /// Nodes, with those of subgraphs left out.
  public var nodeCount: Int { proto.graph.node.count }
  /// The operators of the nodes, each once, sorted.
  public var operators: [String] { Set(proto.graph.node.map(\.opType)).sorted() }

  let proto: Onnx_ModelProto
  private let folder: String?

  /// Reads a model, whose external data lies beside it.
  /// - Throws: ``TesseraError/Code/invalidFile`` for what is no model, with the byte or the node at fault;
  ///   ``TesseraError/Code/unsupported`` for versions before 7 of the standard operators.
  public init(path: String) throws(TesseraError) {
    try self.init(
      bytes: MessageFile.bytes(path), file: path, folder: URL(fileURLWithPath: path).deletingLastPathComponent().path)
  }

  /// Reads a model from memory.
  /// - Parameters:
  ///   - file: what errors call it.
  ///   - folder: where external data lies; nil: a model that has some is refused.
  public init(bytes: Data, file: String = "model", folder: String? = nil) throws(TesseraError) {
    proto = try MessageFile.message(Onnx_ModelProto.self, bytes, at: file)
    self.file = file
    self.folder = folder
    guard proto.hasGraph else {
      throw TesseraError(.invalidFile, at: "\(file): graph", expected: "a model with a graph", found: "none")
    }
    let standard = proto.opsetImport.filter { $0.domain.isEmpty || $0.domain == "ai.onnx" }
    // A model of other domains only has no standard operators that a version could matter to.
    opset = Int(standard.first?.version ?? 24)
    guard opset >= 7 else {
      throw TesseraError(
        .unsupported, at: "\(file): opset_import", expected: "version 7 or later of the standard operators",
        found: "\(opset)")
    }
    let initialized = Set(proto.graph.initializer.map(\.name))
    inputs = proto.graph.input.filter { !initialized.contains($0.name) }.map(Self.port)
    outputs = proto.graph.output.map(Self.port)
  }

  private static func port(_ info: Onnx_ValueInfoProto) -> Port {
    guard case .tensorType(let tensor)? = info.type.value else {
      return Port(name: info.name, dimensions: nil, element: nil)
    }
    let kind = HostTensor.ElementKind(rawValue: Int(tensor.elemType))
    let dimensions: [Int?]? =
      tensor.hasShape
      ? tensor.shape.dim.map { dimension in
        if case .dimValue(let size)? = dimension.value { Int(size) } else { nil }
      } : nil
    return Port(name: info.name, dimensions: dimensions, element: kind.flatMap(HostTensor.elementType))
  }

  /// Inputs that shapes depend on: they have to be known before a program is compiled.
  public var shapeInputs: [String] {
    var needed: Set<String> = []
    for node in proto.graph.node.reversed() {
      if node.opType == "Shape" { continue }
      let isNeeded = node.output.contains(where: needed.contains)
      let positions = isNeeded ? Array(node.input.indices) : Self.shapeOperands[node.opType] ?? []
      needed.formUnion(positions.filter(node.input.indices.contains).map { node.input[$0] })
    }
    return inputs.map(\.name).filter(needed.contains)
  }

  private static let shapeOperands: [String: [Int]] = [
    "Reshape": [1], "Expand": [1], "Tile": [1], "Slice": [1, 2, 3, 4], "Pad": [1, 2, 3], "Resize": [1, 2, 3],
    "Upsample": [1], "Squeeze": [1], "Unsqueeze": [1], "Split": [1], "ConstantOfShape": [0], "Range": [0, 1, 2],
    "Gather": [1], "Dropout": [1, 2], "ReduceSum": [1], "ReduceMean": [1], "ReduceMax": [1], "ReduceMin": [1],
    "ReduceProd": [1], "ReduceL1": [1], "ReduceL2": [1], "ReduceLogSum": [1], "ReduceLogSumExp": [1],
    "ReduceSumSquare": [1],
  ]

  // MARK: Import

  /// The model as a graph whose inputs and outputs have the model's names, with its weights.
  /// - Throws: ``TesseraError/Code/unsupported`` that lists every operator without a counterpart, with its nodes;
  ///   ``TesseraError/Code/notFound`` for sizes that are open; ``TesseraError`` for nodes that don't fit.
  public func imported(_ options: ImportOptions = ImportOptions()) throws(TesseraError) -> ImportedModel {
    var importer = try importer(Graph(), options, builder: nil)
    for port in inputs where importer.values[port.name] == nil {
      let shape = try shape(of: port, options)
      guard let element = port.element else {
        throw TesseraError(
          .unsupported, at: "\(file): input \(port.name)",
          expected: "a tensor of float32, float64, int32, int64, uint8 or bool", found: "another type")
      }
      let order = options.layout == .channelsLast && 3...5 ~= shape.count ? channelsLast(shape.count) : nil
      let stored = order.map { $0.map { shape[$0] } } ?? shape
      let value = try importer.graph.addInput(port.name, TensorType(Shape(stored), element))
      importer.values[port.name] = Imported(port.name, value, shape: shape, order: order)
    }
    try importer.read(proto.graph.node)
    for port in outputs {
      let result = try result(port.name, importer)
      let order =
        options.layout == .channelsLast && 3...5 ~= result.rank
        ? channelsLast(result.rank) : Array(result.shape.indices)
      try importer.graph.addOutput(port.name, importer.value(result, order: order))
    }
    return try ImportedModel(importer)
  }

  private func result(_ name: String, _ importer: Importer) throws(TesseraError) -> Imported {
    guard let value = importer.values[name] else {
      throw TesseraError(
        .invalidFile, at: "\(file): output", expected: "a tensor that a node gives", found: "\"\(name)\"")
    }
    return value
  }

  /// An importer that knows the initializers and the inputs that are fixed.
  func importer(_ graph: Graph, _ options: ImportOptions, builder: ModelBuilder?) throws(TesseraError) -> Importer {
    let tensors = TensorReader(file: file, folder: folder)
    var importer = Importer(
      graph: graph, options: options, file: file, opset: opset, tensors: tensors, builder: builder)
    guard proto.graph.sparseInitializer.isEmpty else {
      throw TesseraError(
        .unsupported, at: "\(file): sparse_initializer", expected: "dense initializers", found: "sparse ones")
    }
    for tensor in proto.graph.initializer {
      guard importer.values[tensor.name] == nil else {
        throw TesseraError(
          .duplicateName, at: "\(file): initializer", expected: "each name once", found: "\"\(tensor.name)\"")
      }
      let constant = try tensors.tensor(tensor, at: "initializer \(tensor.name)")
      importer.values[tensor.name] = Imported(tensor.name, constant: constant)
      importer.parameterNames.insert(tensor.name)
      importer.foldingBudget += constant.count
    }
    for (name, tensor) in options.fixedInputs {
      guard inputs.contains(where: { $0.name == name }) else {
        throw TesseraError(
          .notFound, at: "fixed inputs", expected: inputs.map(\.name).joined(separator: ", "), found: name)
      }
      importer.values[name] = Imported(name, constant: HostTensor(tensor))
    }
    return importer
  }

  /// Sizes of an input: what the options say, then what the model says, then the batch for a first one that is open.
  private func shape(of port: Port, _ options: ImportOptions) throws(TesseraError) -> [Int] {
    let location = "\(file): input \(port.name)"
    if let given = options.shapes[port.name]?.dimensions {
      let fits =
        port.dimensions.map { known in
          known.count == given.count && zip(known, given).allSatisfy { $0 == nil || $0 == $1 }
        } ?? true
      guard fits else {
        throw TesseraError(
          .shapeMismatch, at: location, expected: "\(Self.describe(port.dimensions))", found: "\(Shape(given))")
      }
      try Shape(given).validate(at: location)
      return given
    }
    var shape: [Int] = []
    for (axis, size) in (port.dimensions ?? [nil]).enumerated() {
      guard let size = size ?? (axis == 0 && port.dimensions != nil ? options.batch : nil) else {
        throw TesseraError(
          .notFound, at: location, expected: "all sizes but the batch, or a shape in the options",
          found: Self.describe(port.dimensions))
      }
      shape.append(size)
    }
    try Shape(shape).validate(at: location)
    return shape
  }

  private static func describe(_ dimensions: [Int?]?) -> String {
    guard let dimensions else { return "no shape" }
    return "[\(dimensions.map { $0.map(String.init) ?? "?" }.joined(separator: ", "))]"
  }
}

/// How a model becomes a graph.
public struct ImportOptions: Sendable {
  /// The order of images that a run is given and gives.
  public enum Layout: Sendable {
    /// [N, C, H, W], as the model says.
    case asStated
    /// [N, H, W, C], which is how they are stored between nodes.
    case channelsLast
  }

  /// For inputs whose first size is open.
  public var batch: Int
  /// For inputs with other sizes open: in the model's order.
  public var shapes: [String: Shape]
  /// Inputs that are constants of the graph.
  public var fixedInputs: [String: Tensor]
  /// Of tensors of rank 3 to 5 at the edge of a run.
  public var layout: Layout

  public init(
    batch: Int = 1, shapes: [String: Shape] = [:], fixedInputs: [String: Tensor] = [:], layout: Layout = .asStated
  ) {
    (self.batch, self.shapes, self.fixedInputs, self.layout) = (batch, shapes, fixedInputs, layout)
  }
}

/// A model as a graph: compile it once, and give its weights to the store that runs it.
///
///     let model = try ONNXModel(path: "resnet18.onnx").imported(ImportOptions(batch: 16))
///     let session = try model.session()
///     let outputs = try session.run(["input": images])
public struct ImportedModel: Sendable {
  /// Inputs and outputs have the model's names.
  public let graph: Graph
  /// Weights and statistics by the model's names, in the arrangement that the graph reads.
  public let parameters: [String: Tensor]

  init(_ importer: Importer) throws(TesseraError) {
    graph = importer.graph
    var parameters: [String: Tensor] = [:]
    for parameter in importer.parameters {
      parameters[parameter.name] = try parameter.stored.tensor(at: parameter.name)
    }
    self.parameters = parameters
  }

  /// Compiles the graph and binds it to a store that holds the weights.
  /// - Parameters:
  ///   - store: gets the weights; nil: one of its own.
  ///   - workers: nil: the environment's, or one a usable core.
  public func session(
    store: ParameterStore = ParameterStore(), options: Program.Options = .init(), workers: Int? = nil
  ) throws(TesseraError) -> Session {
    let session = try Session(Program(graph, options: options), store: store, workers: workers)
    try store.set(parameters)
    return session
  }
}

extension HostTensor {
  /// A tensor of the runtime.
  init(_ tensor: Tensor) {
    func elements<T: BitwiseCopyable>(_: T.Type) -> [T] {
      tensor.withUnsafeBytes { Array($0.bindMemory(to: T.self)) }
    }
    let shape = tensor.shape.dimensions
    switch tensor.type.element {
    case .float32: self.init(.float, shape, .floats(elements(Float.self)))
    case .float64: self.init(.double, shape, .doubles(elements(Double.self)))
    case .int32: self.init(.int32, shape, .integers(elements(Int32.self).map(Int64.init)))
    case .int64: self.init(.int64, shape, .integers(elements(Int64.self)))
    case .bool: self.init(.bool, shape, .integers(elements(UInt8.self).map(Int64.init)))
    default: self.init(.uint8, shape, .integers(elements(UInt8.self).map(Int64.init)))
    }
  }
}
