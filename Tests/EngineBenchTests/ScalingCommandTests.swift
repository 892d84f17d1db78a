import Foundation
import Testing

@Suite(.serialized) struct ScalingCommandTests {
  private func scaling(_ arguments: String...) throws -> CommandResult {
    try engineBench(
      arguments: ["scaling", "digits_cnn", "--batch", "6", "--duration", "0.02"] + arguments)
  }

  /// Also with more workers than there are cores.
  @Test(arguments: ["inference", "training"])
  func bothCurvesAreMeasuredAndAgree(mode: String) throws {
    let result = try scaling("--workers", "1,2,5", "--mode", mode, "--format", "json")
    #expect(result.status == 0, "\(result.errors)")
    let records = try result.records("scaling")
    #expect(records.map { $0["kind"] as? String } == ["strong", "strong", "strong", "weak", "weak", "weak"])
    #expect(records.map { $0["workers"] as? Int } == [1, 2, 5, 1, 2, 5])
    #expect(records.map { $0["batch"] as? Int } == [6, 6, 6, 1, 2, 5])
    for record in records {
      for key in ["best_ms", "median_ms", "images_per_second", "speedup", "efficiency"] {
        #expect(try #require(record[key] as? Double) > 0, "\(key)")
      }
      #expect(record["checksum_agrees"] as? Bool == true)
    }
    #expect(Set(records.prefix(3).compactMap { $0["checksum"] as? String }).count == 1)
    // Of the fewest workers themselves.
    for record in [records[0], records[3]] {
      #expect(record["efficiency"] as? Double == 1)
      #expect(record["predicted_efficiency"] as? Double == 1)
    }
  }

  @Test func itFitsATerminal() throws {
    let result = try scaling("--workers", "1,3")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.lines.contains { $0 == "strong scaling" } && result.lines.contains { $0 == "weak scaling" })
    #expect(result.lines.last == "checksums agree bit for bit: 1, 3 workers")
    #expect(result.lines.allSatisfy { $0.count <= 80 })
  }

  @Test func whatIsWrongIsSaid() throws {
    for (arguments, fragment) in [
      (["--workers", "2,1"], "increasing numbers"), (["--workers", "0,1"], "increasing numbers"),
      (["--workers", "1,,2"], "\"1,,2\""), (["--workers", "1,1000", "--by", "numa"], "--by numa"),
      (["--batch", "0"], "--batch"), (["--batch-per-worker", "0"], "--batch-per-worker"),
      (["--by", "socket"], "socket"),
    ] {
      let result = try engineBench(arguments: ["scaling", "digits_cnn"] + arguments)
      #expect(result.status == 64 && result.errors.contains(fragment), "\(result.errors)")
      #expect(result.output.isEmpty)
    }
    #expect(try engineBench("scaling", "digit_cnn").errors.contains("one of digits_cnn"))
  }
}
