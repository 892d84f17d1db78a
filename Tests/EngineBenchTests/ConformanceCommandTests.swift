import Foundation
import Testing

/// Exit codes 0, 1 and 3, on tests of the ONNX project and on a network that PyTorch exported.
@Suite struct ConformanceCommandTests {
  private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/onnx")

  @Test func theOperatorsPass() throws {
    let result = try engineBench("conformance", Self.fixtures.appendingPathComponent("node").path)
    #expect(result.status == 0, "\(result.output)")
    #expect(result.lines.last?.wholeMatch(of: /\d+ passed, 0 failed, 0 unsupported/) != nil)
  }

  @Test func anExportedNetworkPasses() throws {
    let result = try engineBench(
      "conformance", Self.fixtures.appendingPathComponent("network/tiny").path, "--workers", "2")
    #expect(result.status == 0, "\(result.output)")
  }

  /// A test of its own in a folder that is gone afterwards.
  private func withCopy(of test: String, _ body: (URL) throws -> Void) throws {
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("conformance-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: Self.fixtures.appendingPathComponent("node/\(test)"), to: copy)
    defer { try? FileManager.default.removeItem(at: copy) }
    try body(copy)
  }

  @Test func aWrongResultFails() throws {
    try withCopy(of: "test_relu") { folder in
      let file = folder.appendingPathComponent("test_data_set_0/output_0.pb")
      var bytes = try Data(contentsOf: file)
      bytes[bytes.count - 1] ^= 0x40
      try bytes.write(to: file)
      let result = try engineBench("conformance", folder.path)
      #expect(result.status == 1)
      #expect(result.output.contains("0 passed, 1 failed, 0 unsupported"))
    }
  }

  @Test func anUnknownOperatorIsUnsupported() throws {
    try withCopy(of: "test_relu") { folder in
      let file = folder.appendingPathComponent("model.onnx")
      var bytes = try Data(contentsOf: file)
      let place = try #require(bytes.range(of: Data("Relu".utf8)))
      bytes.replaceSubrange(place, with: Data("Rule".utf8))
      try bytes.write(to: file)
      let result = try engineBench("conformance", folder.path)
      #expect(result.status == 3)
      #expect(result.output.contains("Rule in node of y"))
    }
  }

  @Test func aDamagedModelFailsWithItsPlace() throws {
    try withCopy(of: "test_relu") { folder in
      let file = folder.appendingPathComponent("model.onnx")
      try Data(contentsOf: file).dropLast(3).write(to: file)
      let result = try engineBench("conformance", folder.path)
      #expect(result.status == 1)
      #expect(result.output.contains("model.onnx: byte"))
    }
  }

  @Test func aNetworkFromAFileIsTimedAsAnyOther() throws {
    let model = Self.fixtures.appendingPathComponent("network/tiny/model.onnx").path
    let result = try engineBench("network", model, "--batch", "2", "--duration", "0.05", "--format", "json")
    #expect(result.status == 0, "\(result.errors)")
    #expect(try result.records("network")[0]["batch"] as? Int == 2)
  }

  @Test func whatIsExportedPasses() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("export-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let export = try engineBench("export", "digits_cnn", folder.path)
    #expect(export.status == 0, "\(export.errors)")
    let result = try engineBench("conformance", folder.path)
    #expect(result.status == 0, "\(result.output)")
  }
}
