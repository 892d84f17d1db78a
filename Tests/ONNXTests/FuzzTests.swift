import Foundation
import Tessera
import TesseraONNX
import Testing

/// Real models with bytes changed, taken out, put in, repeated or cut off: whatever comes of it, it is a model or an
/// error.
@Suite struct FuzzTests {
  @Test(arguments: Fixtures.models)
  func mutatedModelsAreModelsOrErrors(_ path: String) throws {
    let original = try Data(contentsOf: URL(fileURLWithPath: path))
    var random = SplitMix64(state: UInt64(original.count))
    for _ in 0..<(isShort ? 5 : 60) {
      var bytes = original
      for _ in 0..<Int(random.next() % 4 + 1) { mutate(&bytes, &random) }
      do throws(TesseraError) {
        let model = try ONNXModel(bytes: bytes)
        _ = try model.imported()
      } catch {
        #expect(!error.location.isEmpty && !error.expected.isEmpty)
      }
    }
  }

  private func mutate(_ bytes: inout Data, _ random: inout SplitMix64) {
    guard !bytes.isEmpty else { return }
    let place = Int(random.next() % UInt64(bytes.count))
    switch random.next() % 6 {
    case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
    case 1: bytes[place] ^= 1 << UInt8(random.next() % 8)
    case 2: bytes.remove(at: place)
    case 3: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
    case 4: bytes = bytes.prefix(place)
    default: bytes.append(bytes[place...])
    }
  }
}

/// Steele, Lea and Flood (2014).
struct SplitMix64 {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// In -1..<1.
  mutating func float() -> Float { Float(Int64(bitPattern: next()) >> 32) * 0x1p-31 }
}

/// Sanitizers see fewer cases.
let isShort = ProcessInfo.processInfo.environment["TESSERA_TESTS"] == "short"

/// Tests of the ONNX project, and networks that PyTorch exported: `Scripts/onnx-node-tests.py` and
/// `Scripts/make-onnx-models.py` wrote them.
enum Fixtures {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/onnx")

  static let models: [String] = ["node", "network"].flatMap { kind -> [String] in
    let folder = folder.appendingPathComponent(kind)
    let tests = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return tests.sorted().map { folder.appendingPathComponent("\($0)/model.onnx").path }
  }
}
