import Foundation
import Testing

@Suite(.serialized) struct ExplainCommandTests {
  @Test(arguments: ["inference", "training"])
  func everyNodeIsExplained(mode: String) throws {
    let result = try engineBench(
      "explain", "lenet5", "--batch", "3", "--mode", mode, "--workers", "2", "--format", "json")
    #expect(result.status == 0, "\(result.errors)")
    let nodes = try result.records("explained_node")
    let convolution = try #require(nodes.first { $0["name"] as? String == "conv1" })
    for key in ["algorithm", "tile", "layout", "bound", "place", "kernel", "output"] {
      #expect((convolution[key] as? String)?.isEmpty == false, "\(key)")
    }
    // 28 x 28 outputs of 6 filters with 25 taps, padded; a multiply-add is two operations.
    #expect(convolution["flops"] as? Int == 2 * 3 * 28 * 28 * 6 * 25)
    #expect(try #require(convolution["tasks"] as? Int) >= #require(convolution["largest_share"] as? Int))
    #expect(nodes.contains { ($0["operation"] as? String)?.contains("weight") == true } == (mode == "training"))
    #expect(nodes.allSatisfy { $0["network"] as? String == "lenet5" && $0["workers"] as? Int == 2 })
    let summary = try #require(try result.records("explanation").first)
    #expect(try #require(summary["predicted_ms"] as? Double) > 0)
    #expect(try #require(summary["arena_bytes"] as? Int) > 0)
    #expect((summary["figures"] as? [String: Any])?["gflopsPerCore"] is Double)
  }

  @Test func itFitsATerminal() throws {
    let result = try engineBench("explain", "digits_cnn", "--mode", "training")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.lines.contains { $0.hasPrefix("conv2d ") && $0.contains("NHWC") })
    #expect(result.lines.contains { $0.hasPrefix("predicted ") })
    #expect(result.lines.allSatisfy { $0.count <= 80 })
  }

  /// Commands about networks take models from files too.
  @Test func modelsFromFilesAreNetworks() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("engine-bench-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    #expect(try engineBench("export", "digits_cnn", folder.path).status == 0)
    let model = folder.appendingPathComponent("model.onnx").path
    let explained = try engineBench("explain", model, "--batch", "4", "--format", "json")
    #expect(explained.status == 0, "\(explained.errors)")
    #expect(try explained.records("explained_node").allSatisfy { $0["network"] as? String == model })
    let plan = try engineBench("topology", "--plan", model, "--batch", "4", "--synthetic", "core:2 pu:1")
    #expect(plan.status == 0 && plan.lines.contains { $0.hasPrefix(model) }, "\(plan.errors)")
    let trace = try engineBench("trace", model, "--batch", "4", "--out", folder.path + "/trace.json")
    #expect(trace.status == 0, "\(trace.errors)")
  }

  @Test func whatIsWrongIsSaid() throws {
    let unknown = try engineBench("explain", "lenet")
    #expect(unknown.status == 64 && unknown.errors.contains("one of lenet5"), "\(unknown.errors)")
    let batch = try engineBench("explain", "lenet5", "--batch", "0")
    #expect(batch.status == 64 && batch.errors.contains("--batch: expected 1 to"), "\(batch.errors)")
    let model = try engineBench("explain", "/no/such.onnx")
    #expect(model.status == 65 && model.errors.contains("/no/such.onnx"), "\(model.errors)")
  }
}
