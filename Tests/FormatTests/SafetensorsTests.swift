import Foundation
import Tessera
import TesseraFormats
import Testing

@Suite("safetensors files")
struct SafetensorsTests {
  @Test("What Python wrote is read: types, shapes, names, text")
  func readsPythons() throws {
    let file = try SafetensorsFile(path: fixture("plain"))
    #expect(file.metadata == ["line\nend": "\u{2028} \"text\""])
    #expect(file.entries.count == 8)
    #expect(
      try file.tensor(named: "z.float32").elements(as: Float.self) == [-1, -0.75, -0.5, -0.25, 0, 0.25])
    #expect(try file.tensor(named: "z.float32").shape == [2, 3])
    #expect(try file.tensor(named: "a.float64").elements(as: Double.self) == [0, 1.0 / 3, 2.0 / 3])
    #expect(try file.tensor(named: "m.int32").elements(as: Int32.self) == [0, -7, -14, -21, -28])
    #expect(try file.tensor(named: "m.int64").elements(as: Int64.self) == [1 << 40])
    #expect(try file.tensor(named: "m.int64").shape == .scalar)
    #expect(try file.tensor(named: "b.uint8").elements(as: UInt8.self) == [0, 36, 72, 108, 144, 180, 216])
    #expect(try file.tensor(named: "c.bool").elements(as: Bool.self) == [true, false, true])
    #expect(try file.tensor(named: "empty").shape == [3, 0, 2])
    #expect(try file.tensor(named: "quote\"back\\slash\ttab \u{E4}\u{6F22}").elements(as: Float.self) == [1])
  }

  @Test("Other floating-point types become what PyTorch makes of them", arguments: ["half", "bfloat", "double"])
  func converts(_ name: String) throws {
    let file = try SafetensorsFile(path: fixture("converted"))
    let expected = try file.tensor(named: "\(name).as_float32")
    let found = try file.tensor(named: name, as: .float32)
    for (a, b) in zip(try found.elements(as: Float.self), try expected.elements(as: Float.self)) {
      #expect(a.bitPattern == b.bitPattern || a.isNaN && b.isNaN)
    }
    let wide = try file.tensor(named: name, as: .float64).elements(as: Double.self)
    for (a, b) in zip(wide, try found.elements(as: Float.self)) { #expect(Float(a) == b || a.isNaN && b.isNaN) }
    expectError(.elementTypeMismatch, "int32", name) { _ = try file.tensor(named: name, as: .int32) }
  }

  @Test("The same tensors give Python's bytes")
  func writesPythonsBytes() throws {
    let path = fixture("plain")
    let file = try SafetensorsFile(path: path)
    var tensors: [String: Tensor] = [:]
    for entry in file.entries { tensors[entry.name] = try file.tensor(named: entry.name) }
    try withTemporaryFolder { folder in
      try SafetensorsFile.write(tensors, metadata: file.metadata, to: "\(folder)/copy")
      #expect(try bytes(of: "\(folder)/copy") == bytes(of: path))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["copy"])
    }
  }

  @Test("Wide elements are aligned in a file, whatever stands before them")
  func alignment() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/file"
      try SafetensorsFile.write(
        [
          "a": Tensor([1 as UInt8], shape: [1]), "b": Tensor([1.5 as Double], shape: [1]),
          "c": Tensor([2.5 as Float], shape: [1]), "d": Tensor([3 as Int64], shape: [1]),
        ], to: path)
      let file = try SafetensorsFile(path: path)
      #expect(file.entries.map(\.name) == ["d", "b", "c", "a"])
      for entry in file.entries { #expect(entry.offsets.lowerBound % entry.type.byteCount == 0) }
    }
  }

  @Test("A file that is replaced while it is open stays what it was")
  func replacement() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/file"
      try SafetensorsFile.write(["x": Tensor([1, 2] as [Float], shape: [2])], to: path)
      let old = try SafetensorsFile(path: path)
      try SafetensorsFile.write(["x": Tensor([3] as [Float], shape: [1])], to: path)
      #expect(try old.tensor(named: "x").elements(as: Float.self) == [1, 2])
      #expect(try SafetensorsFile(path: path).tensor(named: "x").elements(as: Float.self) == [3])
    }
  }

  @Test("Files and places that don't serve")
  func unusable() throws {
    expectError(.notFound, "/no/such", "No such file") { _ = try SafetensorsFile(path: "/no/such") }
    try withTemporaryFolder { folder in
      expectError(.invalidFile, folder, "regular file") { _ = try SafetensorsFile(path: folder) }
      expectError(.invalidFile, folder, "a file") { try SafetensorsFile.write([:], to: folder) }
      expectError(.invalidFile, "none/file", "written") { try SafetensorsFile.write([:], to: "\(folder)/none/file") }
      try SafetensorsFile.write([:], to: "\(folder)/empty")
      #expect(try SafetensorsFile(path: "\(folder)/empty").entries.isEmpty)
    }
    expectError(.unsupported, "__metadata__") {
      try SafetensorsFile.write(["__metadata__": Tensor([1] as [Float], shape: [1])], to: "/tmp/never")
    }
    let file = try SafetensorsFile(path: fixture("converted"))
    expectError(.notFound, "converted", "\"none\"") { _ = try file.tensor(named: "none") }
    expectError(.unsupported, "int16", "I16") { _ = try file.tensor(named: "int16") }
    expectError(.elementTypeMismatch, "int16", "I16") { _ = try file.tensor(named: "int16", as: .float32) }
    let truth = try SafetensorsFile(
      bytes: safetensors(#"{"t":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}"#, data: 1) + [2], name: "x")
    expectError(.invalidData, "\"t\"", "2 at element 1") { _ = try truth.tensor(named: "t") }
  }

  /// A header, bytes of data, and what the error must hold.
  static let bad: [(header: String, data: Int, fragments: [String])] = [
    ("", 0, ["offset 0", "2 to"]),
    ("[]", 0, ["offset 8", "\"{\"", "91"]),
    ("{}", 3, ["offset 10", "3 more bytes"]),
    ("{} x", 0, ["offset 11", "spaces"]),
    ("{\"a\"}", 0, ["offset 12", "\":\""]),
    ("{\"a\":{}}", 0, ["tensor \"a\"", "dtype, shape and data_offsets"]),
    ("{\"a\":[]}", 0, ["\"{\""]),
    ("{\"a\":\(String(repeating: "[", count: 100_000))}", 0, ["offset 13"]),
    (entry("X9", "[1]", "[0,4]"), 4, ["tensor \"a\"", "F32", "\"X9\""]),
    (entry("F32", "[1]", "[0,8]"), 8, ["tensor \"a\"", "4 bytes for F32 [1]", "8"]),
    (entry("F32", "[-1]", "[0,4]"), 4, ["tensor \"a\"", "whole number", "45 (-)"]),
    (entry("F32", "[1.5]", "[0,4]"), 4, ["\"]\"", "46 (.)"]),
    (entry("F32", "[01]", "[0,4]"), 4, ["whole number"]),
    (entry("F32", "[1e3]", "[0,4]"), 4, ["\"]\""]),
    (entry("F32", "[9223372036854775808]", "[0,4]"), 4, ["at most 9223372036854775807"]),
    (entry("F32", "[4294967296,4294967296]", "[0,0]"), 0, ["tensor \"a\"", "elements"]),
    (entry("F32", "[4294967296,4294967296,0]", "[0,0]"), 0, ["tensor \"a\"", "elements"]),
    (entry("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, ["at most 8 numbers"]),
    (entry("F32", "[1]", "[4,0]"), 4, ["data_offsets [begin, end]"]),
    (entry("F32", "[1]", "[0]"), 4, ["data_offsets [begin, end]"]),
    (entry("F32", "[1]", "[4,8]"), 8, ["tensor \"a\", offset 4 of the data", "from 0 on"]),
    (entry("F32", "[1000]", "[0,4000]"), 4, ["tensor \"a\"", "within the 4 bytes of data", "4000"]),
    (entry("F32", "[1]", "[0,4]", more: ",\"shape\":[1]"), 4, ["each once", "\"shape\""]),
    (entry("F32", "[1]", "[0,4]", more: ",\"stride\":[1]"), 4, ["each once", "\"stride\""]),
    (twice("a", "[0,4]"), 4, ["each name once", "\"a\" again"]),
    (twice("b", "[0,4]"), 4, ["tensor \"", "from 4 on"]),
    (twice("b", "[2,6]"), 6, ["tensor \"b\"", "from 4 on"]),
    (#"{"__metadata__":{"k":1}}"#, 0, ["offset 29", "\"\"\""]),
    (#"{"__metadata__":{"k":"1","k":"2"}}"#, 0, ["each key once"]),
    (#"{"__metadata__":{},"__metadata__":{}}"#, 0, ["each name once"]),
    (#"{"\ud800":1}"#, 0, ["surrogate"]),
    (#"{"\u12G4":1}"#, 0, ["hexadecimal"]),
    (#"{"\q":1}"#, 0, ["escaped"]),
    ("{\"a\nb\":1}", 0, ["control"]),
    ("{\"a", 0, ["end of a string"]),
    ("{\"a\\", 0, ["end of a string"]),
  ]

  static func entry(_ type: String, _ shape: String, _ offsets: String, more: String = "") -> String {
    "{\"a\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)\(more)}}"
  }

  static func twice(_ name: String, _ offsets: String) -> String {
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
      + "\"\(name)\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":\(offsets)}}"
  }

  @Test("Bad headers name file, tensor and offset", arguments: bad.indices)
  func badHeaders(_ index: Int) throws {
    let (header, data, fragments) = Self.bad[index]
    let error = #expect(throws: TesseraError.self) {
      _ = try SafetensorsFile(bytes: safetensors(header, data: data), name: "x.safetensors")
    }
    let text = "\(try #require(error))"
    #expect(text.hasPrefix("x.safetensors, ") && text.contains("invalid file"), "\(text)")
    for fragment in fragments { #expect(text.contains(fragment), "\(text)") }
  }

  @Test("Lengths beyond the file, and names that aren't UTF-8")
  func lengths() throws {
    for count in 0..<8 {
      expectError(.invalidFile, "offset 0", "\(count) bytes") {
        _ = try SafetensorsFile(bytes: [UInt8](repeating: 1, count: count))
      }
    }
    for length: UInt64 in [3, 100, 99_999_999] {
      let bytes = withUnsafeBytes(of: length.littleEndian) { Array($0) } + Array("{}".utf8)
      expectError(.invalidFile, "offset 0", "\(length)") { _ = try SafetensorsFile(bytes: bytes) }
    }
    for length: UInt64 in [0, 1, 100_000_001, 1 << 63, .max] {
      let bytes = withUnsafeBytes(of: length.littleEndian) { Array($0) } + Array("{}".utf8)
      expectError(.invalidFile, "offset 0", "2 to 100000000", "\(length)") { _ = try SafetensorsFile(bytes: bytes) }
    }
    var bytes = safetensors("{\"aé\":1}", data: 0)
    bytes[11] = 0xFF
    expectError(.invalidFile, "UTF-8") { _ = try SafetensorsFile(bytes: bytes) }
  }

  @Test("Every truncation of a real file is an error")
  func truncations() throws {
    let whole = try bytes(of: fixture("plain"))
    for count in whole.indices {
      expectError(.invalidFile) { _ = try SafetensorsFile(bytes: Array(whole[..<count])) }
    }
  }

  @Test("3000 mutated files are read or refused, never more", arguments: ["plain", "converted", "network"])
  func mutations(_ name: String) throws {
    var random = Random(state: 5)
    let original = try bytes(of: fixture(name))
    for _ in 0..<1000 {
      let mutated = random.mutated(original, head: 1200)
      do throws(TesseraError) {
        let file = try SafetensorsFile(bytes: mutated)
        for entry in file.entries {
          #expect(entry.offsets.count == entry.shape.count * entry.type.byteCount)
          let count = try file.withUnsafeBytes(of: entry.name) { (bytes) throws(TesseraError) in
            _ = bytes.last
            return bytes.count
          }
          #expect(count == entry.offsets.count)
          if entry.type != .bool, entry.type.element != nil { _ = try file.tensor(named: entry.name) }
        }
      } catch {
        #expect(error.code == .invalidFile, "\(error)")
      }
    }
  }
}
