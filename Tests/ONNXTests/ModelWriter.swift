import Foundation

/// Models written byte by byte, wrong ones too.
/// Source: https://protobuf.dev/programming-guides/encoding/, field numbers from `onnx.proto`.
struct ModelWriter {
  /// A message as bytes.
  typealias Message = Data

  static func field(_ number: Int, _ value: Int) -> Message { varint(number << 3) + varint(value) }

  static func field(_ number: Int, _ bytes: Data) -> Message { varint(number << 3 | 2) + varint(bytes.count) + bytes }

  static func field(_ number: Int, _ text: String) -> Message { field(number, Data(text.utf8)) }

  static func field(_ number: Int, _ value: Float) -> Message {
    varint(number << 3 | 5) + withUnsafeBytes(of: value.bitPattern.littleEndian) { Data($0) }
  }

  private static func varint(_ value: Int) -> Data {
    var rest = UInt64(bitPattern: Int64(value))
    var bytes = Data()
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
    return bytes
  }

  // MARK: Messages

  static func model(_ graph: Message, opset: Int = 17) -> Data { field(8, field(2, opset)) + field(7, graph) }

  static func graph(
    _ nodes: [Message], initializers: [Message] = [], inputs: [(String, [Int])] = [("x", [1, 2, 4, 4])],
    outputs: [String] = ["y"]
  ) -> Message {
    (nodes.map { field(1, $0) } + initializers.map { field(5, $0) } + inputs.map { field(11, port($0, $1)) }
      + outputs.map { field(12, port($0, nil)) }).reduce(Data(), +)
  }

  static func node(
    _ type: String, _ inputs: [String], _ outputs: [String], name: String = "n", _ attributes: [Message] = []
  ) -> Message {
    (inputs.map { field(1, $0) } + outputs.map { field(2, $0) }).reduce(Data(), +) + field(3, name) + field(4, type)
      + attributes.map { field(5, $0) }.reduce(Data(), +)
  }

  static func attribute(_ name: String, _ integers: [Int]) -> Message {
    field(1, name) + field(20, 7) + integers.map { field(8, $0) }.reduce(Data(), +)
  }

  static func attribute(_ name: String, _ integer: Int) -> Message { field(1, name) + field(20, 2) + field(3, integer) }

  static func attribute(_ name: String, _ number: Float) -> Message { field(1, name) + field(20, 1) + field(2, number) }

  static func tensor(_ name: String, _ shape: [Int], _ elements: [Float]) -> Message {
    tensor(name, shape, type: 1, raw: elements.withUnsafeBytes { Data($0) })
  }

  static func tensor(_ name: String, integers: [Int]) -> Message {
    tensor(name, [integers.count], type: 7, raw: integers.withUnsafeBytes { Data($0) })
  }

  static func tensor(_ name: String, _ shape: [Int], type: Int, raw: Data) -> Message {
    shape.map { field(1, $0) }.reduce(Data(), +) + field(2, type) + field(8, name) + field(9, raw)
  }

  /// A tensor in a file beside the model.
  static func external(_ name: String, _ shape: [Int], _ entries: [String: String]) -> Message {
    shape.map { field(1, $0) }.reduce(Data(), +) + field(2, 1) + field(8, name) + field(14, 1)
      + entries.sorted { $0.key < $1.key }.map { field(13, field(1, $0.key) + field(2, $0.value)) }.reduce(Data(), +)
  }

  private static func port(_ name: String, _ shape: [Int]?) -> Message {
    let sizes = shape.map { $0.map { field(1, field(1, $0)) }.reduce(Data(), +) }
    return field(1, name) + field(2, field(1, field(1, 1) + (sizes.map { field(2, $0) } ?? Data())))
  }
}
