import Foundation
import TesseraGraph

/// One node of a model while it is read: its operands, and its attributes by name.
struct NodeReader {
  let proto: Onnx_NodeProto
  /// Nil where an optional operand is missing.
  let inputs: [Imported?]
  /// Of the standard operators.
  let opset: Int
  let tensors: TensorReader
  private let attributes: [String: Onnx_AttributeProto]

  init(_ proto: Onnx_NodeProto, inputs: [Imported?], opset: Int, tensors: TensorReader) {
    (self.proto, self.inputs, self.opset, self.tensors) = (proto, inputs, opset, tensors)
    attributes = Dictionary(proto.attribute.map { ($0.name, $0) }) { first, _ in first }
  }

  /// Where errors say they are.
  var location: String { "\(tensors.file): \(Self.describe(proto))" }

  /// What the graph's nodes are called.
  var name: String { proto.name.isEmpty ? proto.output.first ?? proto.opType : proto.name }

  static func describe(_ proto: Onnx_NodeProto) -> String {
    let unnamed = proto.output.first.map { "of \($0)" } ?? "without a name"
    return "node \(proto.name.isEmpty ? unnamed : proto.name) (\(proto.opType))"
  }

  // MARK: Operands

  /// Whether an operand is there.
  func has(_ index: Int) -> Bool { inputs.indices.contains(index) && inputs[index] != nil }

  func input(_ index: Int) throws(TesseraError) -> Imported {
    guard inputs.indices.contains(index), let input = inputs[index] else {
      throw error(.invalidFile, "input \(index)", expected: "an operand", found: "none")
    }
    return input
  }

  /// An operand that must be known before any run; nil if it isn't there.
  func constant(_ index: Int) throws(TesseraError) -> HostTensor? {
    guard has(index) else { return nil }
    guard let tensor = try input(index).constant else {
      throw error(
        .unsupported, "input \(index)", expected: "a constant", found: "\(proto.input[index]), known in a run only")
    }
    return tensor
  }

  /// A constant operand's integers; nil if it isn't there.
  func integers(_ index: Int) throws(TesseraError) -> [Int]? {
    guard let tensor = try constant(index) else { return nil }
    guard let integers = tensor.integers else {
      throw error(.elementTypeMismatch, "input \(index)", expected: "integers", found: "\(tensor.kind)")
    }
    return integers
  }

  /// A constant operand's integers, or since some version an attribute's: nil where there is neither.
  func integers(_ index: Int, or attribute: String) throws(TesseraError) -> [Int]? {
    // Not `??`, whose right side can't throw a typed error.
    if let integers = try integers(index) { return integers }
    return try integers(attribute)
  }

  // MARK: Attributes

  func has(_ attribute: String) -> Bool { attributes[attribute] != nil }

  func integer(_ name: String) throws(TesseraError) -> Int? {
    guard let attribute = try attribute(name, .int) else { return nil }
    return Int(attribute.i)
  }

  func integer(_ name: String, else other: Int) throws(TesseraError) -> Int { try integer(name) ?? other }

  func flag(_ name: String, else other: Bool = false) throws(TesseraError) -> Bool {
    try integer(name, else: other ? 1 : 0) != 0
  }

  func integers(_ name: String) throws(TesseraError) -> [Int]? {
    try attribute(name, .ints)?.ints.map { Int($0) }
  }

  func number(_ name: String, else other: Double) throws(TesseraError) -> Double {
    try attribute(name, .float).map { Double($0.f) } ?? other
  }

  func string(_ name: String, else other: String) throws(TesseraError) -> String {
    guard let attribute = try attribute(name, .string) else { return other }
    return String(decoding: attribute.s, as: UTF8.self)
  }

  /// One of several words.
  func choice(_ name: String, else other: String, of words: [String]) throws(TesseraError) -> String {
    let word = try string(name, else: other)
    guard words.contains(word) else {
      throw error(
        .unsupported, "attribute \(name)", expected: "one of \(words.joined(separator: ", "))", found: "\"\(word)\"")
    }
    return word
  }

  func numbers(_ name: String) throws(TesseraError) -> [Float]? { try attribute(name, .floats)?.floats }

  func tensor(_ name: String) throws(TesseraError) -> HostTensor? {
    guard let attribute = try attribute(name, .tensor) else { return nil }
    return try tensors.tensor(attribute.t, at: "\(Self.describe(proto)): attribute \(name)")
  }

  private func attribute(_ name: String, _ type: Onnx_AttributeProto.AttributeType) throws(TesseraError)
    -> Onnx_AttributeProto?
  {
    guard let attribute = attributes[name] else { return nil }
    guard attribute.type == type || attribute.type == .undefined else {
      throw error(.invalidFile, "attribute \(name)", expected: "\(type)", found: "\(attribute.type)")
    }
    return attribute
  }

  // MARK: Checks

  func error(_ code: TesseraError.Code, _ field: String, expected: String, found: String) -> TesseraError {
    TesseraError(code, at: "\(location): \(field)", expected: expected, found: found)
  }

  func require(
    _ condition: Bool, _ code: TesseraError.Code, _ field: String, _ expected: String, found: @autoclosure () -> String
  ) throws(TesseraError) {
    guard condition else { throw error(code, field, expected: expected, found: found()) }
  }

  /// Of an attribute.
  func require(_ condition: Bool, _ field: String, _ expected: String, found: @autoclosure () -> String)
    throws(TesseraError)
  { try require(condition, .invalidAttribute, field, expected, found: found()) }

  /// An axis counted from 0; negative ones count from the end.
  func axis(_ axis: Int, rank: Int) throws(TesseraError) -> Int {
    try require(
      (-rank..<rank).contains(axis), "axis", "an axis in \(-rank)..<\(rank)", found: "\(axis)")
    return axis < 0 ? axis + rank : axis
  }

  /// Ascending axes, each once.
  func axes(_ axes: [Int], rank: Int) throws(TesseraError) -> [Int] {
    var result: [Int] = []
    for axis in axes { result.append(try self.axis(axis, rank: rank)) }
    try require(Set(result).count == result.count, "axes", "each axis once", found: "\(axes)")
    return result.sorted()
  }

  /// One integer for each of some axes, or a default for all.
  func perAxis(_ name: String, count: Int, else other: Int) throws(TesseraError) -> [Int] {
    guard let values = try integers(name) else { return Array(repeating: other, count: count) }
    try require(
      values.count == count, "attribute \(name)", "\(count) numbers", found: "\(values.count)")
    return values
  }
}
