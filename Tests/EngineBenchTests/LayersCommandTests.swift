import Foundation
import Testing

@Suite(.serialized) struct LayersCommandTests {
  private let quick = ["--time-limit", "0.05", "--workers", "2"]

  /// The first layer needs no gradient of its input; sizes that occur several times are measured once.
  @Test func aNetworkIsASuite() throws {
    let result = try engineBench(
      arguments: ["layers", "--suite", "lenet5", "--batch", "2", "--format", "json"] + quick)
    #expect(result.status == 0, "\(result.errors)")
    let records = try result.records("layer")
    let passes = records.map { "\($0["name"] ?? "") \($0["pass"] ?? "")" }
    #expect(passes.contains("conv1 forward") && passes.contains("conv1 backward-weights"))
    #expect(!passes.contains("conv1 backward-data") && passes.contains("conv2 backward-data"))
    #expect(Set(passes).count == passes.count)
    let forward = try #require(records.first)
    // x [2, 28, 28, 1], w [5, 5, 1, 6], y [2, 28, 28, 6] and no bias' gradient.
    #expect(forward["bytes"] as? Int == 4 * (2 * 28 * 28 + 150 + 2 * 28 * 28 * 6 + 6))
    for record in records {
      #expect(record["batch"] as? Int == 2 && record["cold"] as? Bool == false)
      #expect(["arithmetic", "L1", "L2", "L3", "memory"].contains(record["bound"] as? String))
      let (flops, bytes) = (record["gflops"] as? Double ?? 0, record["bytes"] as? Double ?? 0)
      let intensity = try #require(record["intensity"] as? Double)
      #expect(try abs(flops * 1e6 * #require(record["best_ms"] as? Double) / bytes - intensity) < 1e-6 * intensity)
      #expect(try #require(record["roof_gflops"] as? Double) > 0)
    }
    // What percentages refer to.
    let peaks = try result.records("peak")
    #expect(peaks.map { $0["measure"] as? String } == ["multiply_add", "read"])
    let peak = try #require(peaks[0]["value"] as? Double)
    let percent = try #require(forward["percent_of_peak"] as? Double)
    #expect(try abs(100 * #require(forward["gflops"] as? Double) / peak - percent) < 1e-6 * percent)
  }

  /// With the caches flushed operands come from memory, whatever fits where; results are the same.
  @Test func coldLayersComeFromMemory() throws {
    let result = try engineBench(
      arguments: [
        "layers", "--suite", "digits_cnn", "--pass", "forward", "--algorithm", "direct", "--cold", "--verify",
        "--format", "json",
      ] + quick)
    #expect(result.status == 0, "\(result.errors)")
    for record in try result.records("layer") {
      #expect(record["cold"] as? Bool == true)
      #expect(["arithmetic", "memory"].contains(record["bound"] as? String))
      #expect((record["algorithm"] as? String)?.contains(".direct.") == true)
      #expect(try #require(record["max_error"] as? Double) < 1e-5)
    }
    let text = try engineBench(arguments: ["layers", "--suite", "digits_cnn", "--cold"] + quick)
    #expect(text.lines.first?.hasSuffix("caches flushed") == true)
    #expect(text.lines.allSatisfy { $0.count <= 80 })
  }

  @Test func whatIsWrongIsSaid() throws {
    for (arguments, fragment) in [
      (["--suite", "resnet_50"], "one of resnet50"), (["--suite", "lenet5", "--layers", "a.csv"], "found both"),
      (["--batch", "0"], "--batch"),
    ] {
      let result = try engineBench(arguments: ["layers"] + arguments)
      #expect(result.status == 64 && result.errors.contains(fragment), "\(result.errors)")
      #expect(result.output.isEmpty)
    }
  }
}
