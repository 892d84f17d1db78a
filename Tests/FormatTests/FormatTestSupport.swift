import Foundation
import Tessera
import TesseraFormats
import Testing

/// Calls the body with the path of an empty folder that is gone afterwards.
func withTemporaryFolder(_ body: (String) throws -> Void) throws {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tessera-formats-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  try body(folder.path)
}

/// The path of a file that Tests/Fixtures/make-safetensors-fixtures.py wrote.
func fixture(_ name: String) -> String {
  URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/safetensors/\(name).safetensors")
    .standardizedFileURL.path
}

func bytes(of path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

func write(_ bytes: [UInt8], to path: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

/// A file of this header and so many bytes of data.
func safetensors(_ header: String, data: Int) -> [UInt8] {
  let length = UInt64(header.utf8.count).littleEndian
  return withUnsafeBytes(of: length) { Array($0) } + Array(header.utf8) + [UInt8](repeating: 0, count: data)
}

/// Expects an error with this code whose text holds all the fragments.
func expectError(
  _ code: TesseraError.Code, _ fragments: String..., sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Void
) {
  let error = #expect(throws: TesseraError.self, sourceLocation: sourceLocation) { try body() }
  guard let error else { return }
  #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
  for fragment in fragments {
    #expect(error.description.contains(fragment), "\(error)", sourceLocation: sourceLocation)
  }
}

/// The same bits, so that NaN is NaN and the zeros differ.
func bits(_ tensor: Tensor) -> [UInt8] { tensor.withUnsafeBytes { Array($0) } }

/// A small generator (Knuth's MMIX constants) for mutations that are the same in every run.
struct Random {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33
  }
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

  private static let punctuation = Array("{}[]\",:0129-eE.\\u".utf8)

  /// The bytes with one to three changes, half of them in the first `head` bytes, where they do most.
  mutating func mutated(_ original: [UInt8], head: Int) -> [UInt8] {
    var bytes = original
    for _ in 0...below(3) where !bytes.isEmpty {
      let place = below(below(2) == 0 ? min(head, bytes.count) : bytes.count)
      switch below(7) {
      case 0: bytes[place] = UInt8(truncatingIfNeeded: next())
      case 1: bytes[place] ^= 1 << below(8)
      case 2: bytes.removeSubrange(place...)
      case 3: bytes.insert(contentsOf: bytes[place...].prefix(below(64)), at: place)
      case 4: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(16)))
      // What matters to JSON.
      case 5: bytes[place] = Self.punctuation[below(Self.punctuation.count)]
      default: bytes[place] = 0xFF
      }
    }
    return bytes
  }
}
