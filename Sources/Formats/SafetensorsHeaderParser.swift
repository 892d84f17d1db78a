import TesseraGraph

/// Reads the JSON of a safetensors header, and nothing else that JSON could hold: the grammar has no nesting to run
/// away, names are unique, numbers are whole, and whatever differs is an error at its byte. (Foundation's decoder accepts
/// names twice, and doesn't say where a mistake is.)
struct SafetensorsHeaderParser {
  private let bytes: UnsafeRawBufferPointer
  private let name: String
  private var place = 0

  /// - Parameter bytes: what follows the 8 bytes of length.
  init(_ bytes: UnsafeRawBufferPointer, name: String) {
    self.bytes = bytes
    self.name = name
  }

  mutating func header() throws(TesseraError) -> (entries: [SafetensorsEntry], metadata: [String: String]) {
    guard bytes.first == UInt8(ascii: "{") else { throw error("\"{\"") }
    var entries: [SafetensorsEntry] = []
    var metadata: [String: String]?
    var names: Set<String> = []
    try members { (parser, key, start) throws(TesseraError) in
      guard names.insert(key).inserted else {
        throw parser.error("each name once", "\"\(key)\" again", at: start)
      }
      if key == "__metadata__" {
        metadata = try parser.texts()
      } else {
        entries.append(try parser.entry(key))
      }
    }
    skipSpaces()
    guard place == bytes.count else { throw error("spaces to the end of the header") }
    return (entries, metadata ?? [:])
  }

  private mutating func texts() throws(TesseraError) -> [String: String] {
    var texts: [String: String] = [:]
    try members { (parser, key, start) throws(TesseraError) in
      guard texts[key] == nil else { throw parser.error("each key once", "\"\(key)\" again", at: start) }
      texts[key] = try parser.string()
    }
    return texts
  }

  private mutating func entry(_ name: String) throws(TesseraError) -> SafetensorsEntry {
    let start = place
    var type: SafetensorsType?
    var shape: [Int]?
    var offsets: [Int]?
    try members { (parser, key, start) throws(TesseraError) in
      switch key {
      case "dtype" where type == nil:
        let value = try parser.string()
        type = SafetensorsType(rawValue: value)
        if type == nil {
          throw parser.error(
            "one of " + SafetensorsType.allCases.map(\.rawValue).joined(separator: ", "), "\"\(value)\"",
            at: start, of: name)
        }
      case "shape" where shape == nil: shape = try parser.numbers(atMost: Shape.maximumRank, of: name)
      case "data_offsets" where offsets == nil: offsets = try parser.numbers(atMost: 2, of: name)
      default:
        throw parser.error("dtype, shape and data_offsets, each once", "\"\(key)\"", at: start, of: name)
      }
    }
    guard let type, let shape = shape.map({ Shape($0) }), let offsets else {
      throw error("dtype, shape and data_offsets", "not all of them", at: start, of: name)
    }
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw error("data_offsets [begin, end]", "\(offsets)", at: start, of: name)
    }
    do {
      try shape.validate(at: name)
    } catch let mistake {
      throw error(mistake.expected, mistake.found, at: start, of: name)
    }
    // A valid shape of the widest elements fits Int.
    let byteCount = shape.count * type.byteCount
    guard offsets[1] - offsets[0] == byteCount else {
      throw error(
        "\(byteCount) bytes for \(type.rawValue) \(shape)", "\(offsets[1] - offsets[0])", at: start, of: name)
    }
    return SafetensorsEntry(name: name, type: type, shape: shape, offsets: offsets[0]..<offsets[1])
  }

  // MARK: JSON

  /// An object; `member` reads the value of each key.
  private mutating func members(
    _ member: (inout SafetensorsHeaderParser, _ key: String, _ start: Int) throws(TesseraError) -> Void
  ) throws(TesseraError) {
    try take("{")
    if takeIfPresent("}") { return }
    repeat {
      skipSpaces()
      let start = place
      let key = try string()
      try take(":")
      try member(&self, key, start)
    } while takeIfPresent(",")
    try take("}")
  }

  private mutating func numbers(atMost count: Int, of tensor: String) throws(TesseraError) -> [Int] {
    try take("[")
    if takeIfPresent("]") { return [] }
    var numbers: [Int] = []
    repeat {
      guard numbers.count < count else { throw error("at most \(count) numbers", "more", at: place, of: tensor) }
      numbers.append(try number(of: tensor))
    } while takeIfPresent(",")
    try take("]")
    return numbers
  }

  private mutating func number(of tensor: String) throws(TesseraError) -> Int {
    skipSpaces()
    let start = place
    var value = 0
    while place < bytes.count, case let digit = bytes[place] &- UInt8(ascii: "0"), digit < 10 {
      let (product, productOverflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, sumOverflow) = product.addingReportingOverflow(Int(digit))
      guard !productOverflow, !sumOverflow else {
        throw error("a number of at most \(Int.max)", "a larger one", at: start, of: tensor)
      }
      value = sum
      place += 1
    }
    // "-1", "1.0", "1e3", "01" and words stop at a byte that no list goes on with.
    let isZeroFirst = place - start > 1 && bytes[start] == UInt8(ascii: "0")
    guard place > start, !isZeroFirst else { throw error("a whole number of 0 or more", at: start, of: tensor) }
    return value
  }

  private mutating func string() throws(TesseraError) -> String {
    try take("\"")
    let start = place
    var text: [UInt8] = []
    while true {
      guard place < bytes.count else { throw error("the end of a string") }
      let byte = bytes[place]
      place += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else {
          throw error("text in UTF-8", "other bytes", at: start)
        }
        return string
      case UInt8(ascii: "\\"): try text.append(contentsOf: escaped())
      case ..<0x20: throw error("no control characters in a string", "byte \(byte)", at: place - 1)
      default: text.append(byte)
      }
    }
  }

  /// What follows a backslash, in UTF-8.
  private mutating func escaped() throws(TesseraError) -> [UInt8] {
    let start = place - 1
    guard place < bytes.count else { throw error("the end of a string") }
    place += 1
    switch UnicodeScalar(bytes[place - 1]) {
    case "\"", "\\", "/": return [bytes[place - 1]]
    case "b": return [0x08]
    case "f": return [0x0C]
    case "n": return [0x0A]
    case "r": return [0x0D]
    case "t": return [0x09]
    case "u":
      var code = try hexadecimal()
      if 0xD800..<0xDC00 ~= code, bytes[place...].starts(with: "\\u".utf8) {
        place += 2
        let low = try hexadecimal()
        guard 0xDC00..<0xE000 ~= low else { throw error("a surrogate pair", "half of one", at: start) }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = UnicodeScalar(code) else { throw error("a surrogate pair", "half of one", at: start) }
      return Array(String(Character(scalar)).utf8)
    default: throw error("a character that can be escaped", at: start + 1)
    }
  }

  private mutating func hexadecimal() throws(TesseraError) -> UInt32 {
    let start = place
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard place < bytes.count, let digit = Character(UnicodeScalar(bytes[place])).hexDigitValue else {
        throw error("four hexadecimal digits", at: start)
      }
      value = value << 4 | UInt32(digit)
      place += 1
    }
    return value
  }

  private mutating func skipSpaces() {
    while place < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[place]) { place += 1 }
  }

  private mutating func takeIfPresent(_ character: UnicodeScalar) -> Bool {
    skipSpaces()
    guard place < bytes.count, UnicodeScalar(bytes[place]) == character else { return false }
    place += 1
    return true
  }

  private mutating func take(_ character: UnicodeScalar) throws(TesseraError) {
    guard takeIfPresent(character) else { throw error("\"\(character)\"") }
  }

  // MARK: Errors

  /// An error about the next byte, or the one at `place`.
  private func error(_ expected: String, at place: Int? = nil, of tensor: String? = nil) -> TesseraError {
    let place = place ?? self.place
    let found =
      place < bytes.count
      ? "byte \(bytes[place]) (\(UnicodeScalar(bytes[place]).escaped(asASCII: true)))"
      : "the end of the header"
    return error(expected, found, at: place, of: tensor)
  }

  private func error(_ expected: String, _ found: String, at place: Int, of tensor: String? = nil) -> TesseraError {
    let tensor = tensor.map { "tensor \"\($0)\", " } ?? ""
    return TesseraError(.invalidFile, at: "\(name), \(tensor)offset \(8 + place)", expected: expected, found: found)
  }
}
