import Foundation
import Testing

@Suite(.serialized) struct VerifyCommandTests {
  /// Under sanitizers one instruction set has to do.
  private static let isShort = ProcessInfo.processInfo.environment["TESSERA_TESTS"] == "short"

  @Test func thisMachineIsRight() throws {
    let result = try engineBench(
      arguments: ["verify", "--quick", "--workers", "2", "--format", "json"]
        + (Self.isShort ? ["--isa", "baseline"] : []))
    #expect(result.status == 0, "\(result.errors)")
    let records = try result.records("verification")
    let sets = Set(records.compactMap { $0["isa"] as? String })
    #expect(sets.contains("baseline"))
    for set in sets {
      let groups = records.filter { $0["isa"] as? String == set }.compactMap { $0["group"] as? String }
      for algorithm in ["direct", "winograd", "im2col"] {
        for pass in ["forward", "backward-data", "backward-weights"] {
          #expect(groups.contains("\(algorithm) \(pass)"), "\(set)")
        }
      }
      #expect(groups.contains("pixel-block backward-data"))
      for group in ["residual blocks", "pooling", "layers", "functions", "updates", "determinism"] {
        #expect(groups.contains(group), "\(set) \(group)")
      }
    }
    for record in records where record["group"] as? String != "determinism" {
      #expect(try #require(record["elements"] as? Int) > 0)
      #expect(try #require(record["worst_share"] as? Double) <= 1)
    }
    let verdict = try #require(try result.records("verdict").first)
    #expect(verdict["passed"] as? Bool == true && verdict["failures"] as? Int == 0)
  }

  /// Errors there are, of course: where none are allowed, each says where.
  @Test func deviationsAreFailures() throws {
    let result = try engineBench("verify", "--quick", "--isa", "baseline", "--workers", "1", "--tolerance", "0")
    #expect(result.status == 1)
    #expect(result.lines.last?.hasPrefix("FAILED: ") == true)
    #expect(result.lines.contains { $0.hasPrefix("FAILED baseline, direct forward: n") })
    #expect(result.lines.contains { $0.contains("expected") && $0.contains("+- 0") })
    // What failed is as long as it is.
    let table = result.lines.filter { $0.hasPrefix("baseline ") || $0.hasPrefix("isa ") }
    #expect(table.count > 10 && table.allSatisfy { $0.count <= 80 })
  }

  @Test func whatIsWrongIsSaid() throws {
    let result = try engineBench("verify", "--tolerance", "2")
    #expect(result.status == 64 && result.errors.contains("--tolerance: expected 0 to 1"), "\(result.errors)")
  }
}
