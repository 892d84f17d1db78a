public import TesseraGraph

/// What a safetensors file says of one of its tensors.
public struct SafetensorsEntry: Hashable, Sendable {
  /// Unique in its file.
  public let name: String
  /// The type of each element.
  public let type: SafetensorsType
  /// Sizes, outermost first; the elements are row-major.
  public let shape: Shape
  /// Where its bytes are, counted from the end of the header.
  public let offsets: Range<Int>
}

/// The head of a safetensors file: which tensors there are, where, and text of any kind.
///
/// The file is the length of the JSON in 8 little-endian bytes, the JSON, padded by spaces to a multiple of 8, and the
/// tensors' bytes without gaps:
///
///     {"__metadata__": {"key": "value"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
///
/// Source: the format's description, https://github.com/huggingface/safetensors.
struct SafetensorsHeader {
  /// More bytes of JSON are an error, as they are to the format's own reader.
  static let largestByteCount = 100_000_000

  var metadata: [String: String]
  /// In the order of their bytes.
  var entries: [SafetensorsEntry]

  /// Where the tensors' bytes begin in a file that was read.
  private(set) var dataOffset = 0

  /// The head of a file to be written: types of wide elements first, so that all are aligned, then by name.
  init(_ tensors: [(name: String, type: SafetensorsType, shape: Shape)], metadata: [String: String]) {
    self.metadata = metadata
    let order = SafetensorsType.allCases
    func rank(_ type: SafetensorsType) -> Int { order.firstIndex(of: type) ?? 0 }
    let sorted = tensors.sorted { a, b in
      a.type == b.type ? a.name.utf8.lexicographicallyPrecedes(b.name.utf8) : rank(a.type) > rank(b.type)
    }
    entries = []
    var end = 0
    for tensor in sorted {
      let start = end
      end += tensor.shape.count * tensor.type.byteCount
      entries.append(
        SafetensorsEntry(name: tensor.name, type: tensor.type, shape: tensor.shape, offsets: start..<end))
    }
  }

  /// Bytes of all tensors.
  var dataByteCount: Int { entries.last?.offsets.upperBound ?? 0 }

  /// The JSON, padded.
  var json: String {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      members.append(
        "\"__metadata__\":{"
          + pairs.map { Self.quoted($0.key) + ":" + Self.quoted($0.value) }.joined(separator: ",") + "}")
    }
    for entry in entries {
      let sizes = entry.shape.dimensions.map(String.init).joined(separator: ",")
      members.append(
        "\(Self.quoted(entry.name)):{\"dtype\":\"\(entry.type.rawValue)\",\"shape\":[\(sizes)],"
          + "\"data_offsets\":[\(entry.offsets.lowerBound),\(entry.offsets.upperBound)]}")
    }
    let text = "{" + members.joined(separator: ",") + "}"
    return text + String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\u{8}": result += "\\b"
      case "\u{C}": result += "\\f"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\0"..<" ":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  // MARK: Reading

  /// Reads and checks the head of a whole file, so that every entry's bytes are within it.
  /// - Throws: `invalidFile` that names file, tensor or offset.
  init(of file: UnsafeRawBufferPointer, name: String) throws(TesseraError) {
    func invalid(_ place: String, _ expected: String, _ found: String) -> TesseraError {
      TesseraError(.invalidFile, at: "\(name), \(place)", expected: expected, found: found)
    }
    guard file.count >= 8 else {
      throw invalid("offset 0", "8 bytes of header length", "\(file.count) bytes")
    }
    let length = UInt64(littleEndian: file.loadUnaligned(as: UInt64.self))
    guard length >= 2, length <= Self.largestByteCount else {
      throw invalid("offset 0", "a header of 2 to \(Self.largestByteCount) bytes", "\(length)")
    }
    guard length <= file.count - 8 else {
      throw invalid("offset 0", "a header within the \(file.count) bytes of the file", "one of \(length) bytes")
    }
    dataOffset = 8 + Int(length)
    var parser = SafetensorsHeaderParser(
      UnsafeRawBufferPointer(rebasing: file[8..<dataOffset]), name: name)
    (entries, metadata) = try parser.header()
    entries.sort {
      ($0.offsets.lowerBound, $0.offsets.upperBound) < ($1.offsets.lowerBound, $1.offsets.upperBound)
    }
    var end = 0
    for entry in entries {
      guard entry.offsets.lowerBound == end else {
        throw invalid(
          "tensor \"\(entry.name)\", offset \(entry.offsets.lowerBound) of the data",
          "bytes from \(end) on, where the tensor before it ends", "from \(entry.offsets.lowerBound) on")
      }
      end = entry.offsets.upperBound
      guard end <= file.count - dataOffset else {
        throw invalid(
          "tensor \"\(entry.name)\", offset \(entry.offsets.lowerBound) of the data",
          "an end within the \(file.count - dataOffset) bytes of data", "\(end)")
      }
    }
    guard dataOffset + end == file.count else {
      throw invalid(
        "offset \(dataOffset + end)", "the end of the file", "\(file.count - dataOffset - end) more bytes")
    }
  }
}
