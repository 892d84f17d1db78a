import Foundation
import SwiftProtobuf
import TesseraGraph
import TesseraRuntime

/// How a tensor of the model lies beside the graph's.
enum ExportedLayout: Equatable {
  /// Alike.
  case plain
  /// [N, C, H, W] for [N, H, W, C].
  case image
  /// Rows of [C, H, W] for rows of [H, W, C], these sizes.
  case flattened([Int])
}

/// Writes a graph's nodes as those of a model.
struct Exporter {
  let graph: Graph
  let parameters: [String: Tensor]
  private(set) var model = Onnx_GraphProto()
  private var names: [Value: String] = [:]
  private var layouts: [Value: ExportedLayout] = [:]
  private var usedNames: Set<String> = []
  /// Initializers by what they hold, so that each is written once.
  private var initializers: Set<String> = []

  init(graph: Graph, parameters: [String: Tensor]) {
    (self.graph, self.parameters) = (graph, parameters)
    model.name = "tessera"
  }

  mutating func export(imageInputs: Bool) throws(TesseraError) {
    for input in graph.inputs {
      let isImage = imageInputs && graph.shape(of: input.value).rank == 4
      names[input.value] = input.name
      layouts[input.value] = isImage ? .image : .plain
      usedNames.insert(input.name)
      model.input.append(try port(input.name, input.value))
    }
    // Names that a user knows are taken before those of nodes.
    usedNames.formUnion(graph.outputs.map(\.name) + graph.variables.map(\.variable.name))
    var unsupported: [String: [String]] = [:]
    for node in graph.nodes {
      guard node.inputs.allSatisfy({ isKnown($0) }) else { continue }
      do throws(TesseraError) {
        try write(node)
      } catch {
        guard error.code == .unsupported else { throw error }
        unsupported[node.operation.name, default: []].append(node.name)
      }
    }
    guard unsupported.isEmpty else {
      let found = unsupported.sorted { $0.key < $1.key }.map { "\($0.key) in \($0.value.joined(separator: ", "))" }
      throw TesseraError(
        .unsupported, at: "export", expected: "operations that ONNX has", found: found.joined(separator: "; "))
    }
    for output in graph.outputs {
      let source = try name(output.value)
      add("Identity", [source], [output.name])
      model.output.append(try port(output.name, output.value))
    }
  }

  private func isKnown(_ value: Value) -> Bool {
    if case .node = graph.source(of: value) { names[value] != nil } else { true }
  }

  // MARK: Values

  func layout(_ value: Value) -> ExportedLayout { layouts[value] ?? .plain }

  /// The tensor of a value, in its own layout; parameters and constants become initializers.
  mutating func name(_ value: Value) throws(TesseraError) -> String {
    if let name = names[value] { return name }
    switch graph.source(of: value) {
    case .variable(let index):
      let name = graph.variables[index].variable.name
      initialize(name, try tensor(value))
      names[value] = name
      return name
    case .constant(let index):
      let name = unique("constant.\(index)")
      initialize(name, try tensor(value))
      names[value] = name
      return name
    case .input, .node:
      throw TesseraError(.notFound, at: graph.name(of: value), expected: "a tensor of the model", found: "none")
    }
  }

  /// What a variable or a constant holds; nil for values of nodes.
  func known(_ value: Value) throws(TesseraError) -> HostTensor? {
    switch graph.source(of: value) {
    case .variable, .constant: try tensor(value)
    case .input, .node: nil
    }
  }

  private func tensor(_ value: Value) throws(TesseraError) -> HostTensor {
    switch graph.source(of: value) {
    case .variable(let index):
      let name = graph.variables[index].variable.name
      guard let tensor = parameters[name], tensor.type == graph.type(of: value) else {
        throw TesseraError(
          .notFound, at: "export", expected: "a value of parameter \(name), \(graph.type(of: value))",
          found: parameters[name].map { "\($0.type)" } ?? "none")
      }
      return HostTensor(tensor)
    case .constant(let index):
      let (elements, type) = (graph.constants[index].elements, graph.type(of: value))
      let shape = type.shape.dimensions
      switch type.element {
      case .float32: return HostTensor(.float, shape, .floats(elements.map { Float($0) }))
      case .float64: return HostTensor(.double, shape, .doubles(elements))
      case .int32: return HostTensor(.int32, shape, .integers(elements.map { Int64($0) }))
      case .int64: return HostTensor(.int64, shape, .integers(elements.map { Int64($0) }))
      case .bool: return HostTensor(.bool, shape, .integers(elements.map { Int64($0) }))
      default: return HostTensor(.uint8, shape, .integers(elements.map { Int64($0) }))
      }
    case .input, .node:
      throw TesseraError(.notFound, at: graph.name(of: value), expected: "a known tensor", found: "none")
    }
  }

  /// The tensor of a value as the graph has it.
  mutating func plain(_ value: Value) throws(TesseraError) -> String {
    let source = try name(value)
    switch layout(value) {
    case .plain: return source
    case .image:
      let result = unique("\(source).channels_last")
      add("Transpose", [source], [result], [.integers("perm", [0, 2, 3, 1])])
      return result
    case .flattened(let image):
      let rows = graph.shape(of: value)
      let images = reshaped(source, [rows[0], image[2], image[0], image[1]])
      let moved = unique("\(source).channels_last")
      add("Transpose", [images], [moved], [.integers("perm", [0, 2, 3, 1])])
      return reshaped(moved, rows.dimensions)
    }
  }

  /// The tensor of an image with its channels first.
  mutating func image(_ value: Value) throws(TesseraError) -> String {
    if layout(value) == .image { return try name(value) }
    let source = try plain(value)
    let result = unique("\(source).channels_first")
    add("Transpose", [source], [result], [.integers("perm", [0, 3, 1, 2])])
    return result
  }

  mutating func define(_ value: Value, _ name: String, _ layout: ExportedLayout) {
    names[value] = name
    layouts[value] = layout
  }

  func unique(_ name: String) -> String {
    var candidate = name
    var number = 1
    while usedNames.contains(candidate) {
      number += 1
      candidate = "\(name)#\(number)"
    }
    return candidate
  }

  // MARK: The model

  mutating func add(_ type: String, _ inputs: [String], _ outputs: [String], _ attributes: [ExportedAttribute] = []) {
    var node = Onnx_NodeProto()
    node.opType = type
    node.name = outputs.first ?? type
    node.input = inputs
    node.output = outputs
    node.attribute = attributes.map(\.proto)
    model.node.append(node)
    usedNames.formUnion(outputs)
  }

  mutating func initialize(_ name: String, _ tensor: HostTensor) {
    guard initializers.insert(name).inserted else { return }
    model.initializer.append(ONNXTensor.proto(tensor, name: name))
    usedNames.insert(name)
  }

  /// An initializer of its own.
  mutating func constant(_ tensor: HostTensor, near name: String) -> String {
    let name = unique("\(name).constant")
    initialize(name, tensor)
    return name
  }

  mutating func reshaped(_ source: String, _ shape: [Int]) -> String {
    let result = unique("\(source).reshaped")
    let sizes = constant(HostTensor(integers: shape), near: result)
    add("Reshape", [source, sizes], [result], [.integer("allowzero", 1)])
    return result
  }

  private func port(_ name: String, _ value: Value) throws(TesseraError) -> Onnx_ValueInfoProto {
    let type = graph.type(of: value)
    var shape = type.shape.dimensions
    switch layout(value) {
    case .image: shape = [shape[0], shape[3], shape[1], shape[2]]
    case .plain, .flattened: break
    }
    var tensor = Onnx_TypeProto.Tensor()
    tensor.elemType = Int32(ONNXTensor.kind(type.element).rawValue)
    for size in shape {
      var dimension = Onnx_TensorShapeProto.Dimension()
      dimension.dimValue = Int64(size)
      tensor.shape.dim.append(dimension)
    }
    tensor.shape = tensor.shape
    var info = Onnx_ValueInfoProto()
    info.name = name
    info.type.tensorType = tensor
    return info
  }
}

/// An attribute of a node.
enum ExportedAttribute {
  case integer(String, Int)
  case integers(String, [Int])
  case number(String, Double)
  case string(String, String)

  var proto: Onnx_AttributeProto {
    var proto = Onnx_AttributeProto()
    switch self {
    case .integer(let name, let value):
      (proto.name, proto.type, proto.i) = (name, .int, Int64(value))
    case .integers(let name, let values):
      (proto.name, proto.type, proto.ints) = (name, .ints, values.map { Int64($0) })
    case .number(let name, let value):
      (proto.name, proto.type, proto.f) = (name, .float, Float(value))
    case .string(let name, let value):
      (proto.name, proto.type, proto.s) = (name, .string, Data(value.utf8))
    }
    return proto
  }
}
