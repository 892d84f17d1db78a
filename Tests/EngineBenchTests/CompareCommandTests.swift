import Foundation
import Testing

/// `compare`, on results that tests wrote.
@Suite struct CompareCommandTests {
  /// A line as `layers` prints it.
  static func layer(_ name: String, _ ms: Double, spread: Double = 0.01, pass: String = "forward") -> String {
    """
    {"record":"layer","schema_version":1,"name":"\(name)","pass":"\(pass)","isa":"avx2","workers":2,"batch":4,"best_ms":\
    \(ms),"median_ms":\(ms),"spread":\(spread),"gflops":\(100 / ms),"percent_of_peak":50,"intensity":20,"bound":"compute",\
    "algorithm":"conv2d.forward.direct.f32.avx2.6x2"}
    """
  }

  private func withResults(_ old: [String], _ new: [String], _ body: (String, String) throws -> Void) throws {
    try withFile(old.joined(separator: "\n") + "\n") { old in
      try withFile(new.joined(separator: "\n") + "\n") { new in try body(old, new) }
    }
  }

  @Test func differencesBeyondTheNoiseCount() throws {
    let peak =
      #"{"record":"peak","schema_version":1,"measure":"read","level":"L1","isa":"avx2","workers":2,"unit":"GB/s","value":"#
    let old = [
      Self.layer("a", 10), Self.layer("b", 10), Self.layer("c", 10, spread: 0.2), Self.layer("d", 10), peak + "100}",
      Self.layer("gone", 1),
    ]
    // Of c, measured twice, the better one counts; a rate is worse when it is less.
    let new = [
      Self.layer("a", 12), Self.layer("b", 8), Self.layer("c", 30), Self.layer("c", 11), Self.layer("d", 10.1),
      peak + "50}", Self.layer("d", 3, pass: "backward-data"),
    ]
    try withResults(old, new) { old, new in
      let result = try engineBench("compare", old, new, "--format", "json")
      #expect(result.status == 0, "\(result.errors)")
      var verdicts: [String: String] = [:]
      var changes: [String: Double] = [:]
      for record in try result.records("comparison") {
        // Only what tells them apart is in it.
        let label = try #require(record["label"] as? String)
        verdicts[label] = record["verdict"] as? String
        changes[label] = record["change"] as? Double
      }
      #expect(
        verdicts == [
          "a forward": "slower", "b forward": "faster",
          "c forward": "same", "d forward": "same", "read": "slower",
        ])
      #expect(abs(try #require(changes["a forward"]) - 0.2) < 1e-9)
      #expect(abs(try #require(changes["read"]) - 1) < 1e-9)
      let summary = try #require(try result.records("comparison_summary").first { $0["of"] as? String == "layer" })
      #expect(summary["slower"] as? Int == 1 && summary["faster"] as? Int == 1 && summary["same"] as? Int == 2)

      let text = try engineBench("compare", old, new)
      #expect(text.lines.allSatisfy { $0.count <= 80 })
      #expect(text.output.contains("layer a forward") && text.output.contains("+20.0 %"))
      #expect(!text.output.contains("layer d forward"))
      #expect(text.output.contains("only in the old file: 1\n  layer gone"))
      #expect(text.output.contains("only in the new file: 1\n  layer d backward-data"))
      #expect(try engineBench("compare", old, new, "--all").output.contains("layer d forward"))
    }
  }

  @Test func theExitCodeIsForCI() throws {
    try withResults([Self.layer("a", 10)], [Self.layer("a", 12)]) { old, new in
      #expect(try engineBench("compare", old, new).status == 0)
      #expect(try engineBench("compare", old, new, "--fail-over", "25%").status == 0)
      let failed = try engineBench("compare", old, new, "--fail-over", "5")
      #expect(failed.status == 1)
      #expect(failed.lines.last == "1 slower by more than 5%")
      // The results of a check that failed are written all the same.
      try withFile("") { path in
        let written = try engineBench("compare", old, new, "--fail-over", "5%", "--out", path, "--format", "text")
        #expect(written.status == 1)
        #expect(try String(contentsOfFile: path, encoding: .utf8).contains("layer a "))
      }
      let reversed = try engineBench("compare", new, old, "--fail-over", "5%")
      #expect(reversed.status == 0)
    }
    // Whatever is within the noise passes.
    try withResults([Self.layer("a", 10, spread: 0.3)], [Self.layer("a", 12)]) { old, new in
      let result = try engineBench("compare", old, new, "--fail-over", "5%")
      #expect(result.status == 0)
    }
  }

  @Test func otherResultsAndEnvironmentsAreSaid() throws {
    func lines(_ checksum: String, _ kernel: String) -> [String] {
      [
        #"{"record":"environment","schema_version":1,"kernel":"\#(kernel)","isa":"avx2","date":"\#(checksum)"}"#,
        #"{"record":"network","schema_version":1,"network":"n","batch":1,"best_ms":1,"spread":0.01,"checksum":"\#(checksum)"}"#,
      ]
    }
    try withResults(lines("a", "Linux 5"), lines("b", "Linux 6")) { old, new in
      let result = try engineBench("compare", old, new)
      #expect(result.output.contains("same, other result"))
      #expect(result.output.contains("  kernel: Linux 5 -> Linux 6"))
      #expect(!result.output.contains("date:"))
    }
  }

  /// The command's own results are what it reads.
  @Test func whatCommandsPrintIsRead() throws {
    try withFile("") { path in
      let run = try engineBench(
        "network", "digits_cnn", "--batch", "2", "--duration", "0.01", "--profile", "--format", "json", "--out", path)
      #expect(run.status == 0)
      let result = try engineBench("compare", path, path, "--format", "json")
      #expect(result.status == 0, "\(result.errors)")
      let records = try result.records("comparison")
      #expect(records.allSatisfy { $0["verdict"] as? String == "same" })
      #expect(Set(records.map { $0["of"] as? String }) == ["network", "node"])
    }
  }

  /// One line that says file and line, and nothing on standard output.
  @Test(arguments: [
    (["layer,best_ms"], ":1: ", 65), ([layer("a", 1), "", "[1]"], ":3: ", 65),
    (
      [layer("a", 1), #"{"record":"layer","schema_version":2}"#],
      ":2: invalid file: expected schema_version 1, found 2", 65
    ),
    ([#"{"record":"layer"}"#], "found none", 65), ([#"{"schema_version":1}"#], "the name of a record", 65),
    ([""], "an empty file", 65), ([layer("b", 1)], "a measurement that", 65),
  ])
  func whatIsWrongIsSaid(lines: [String], fragment: String, status: Int32) throws {
    try withResults([Self.layer("a", 1)], lines) { old, new in
      let result = try engineBench("compare", old, new)
      #expect(result.status == status)
      #expect(result.output.isEmpty)
      #expect(result.errors.split(separator: "\n").count == 1)
      #expect(result.errors.contains(new) && result.errors.contains(fragment), "\(result.errors)")
    }
  }

  @Test func missingFilesAndBadBoundsAreSaid() throws {
    let missing = try engineBench("compare", "/no/such/old.json", "/no/such/new.json")
    #expect(missing.status == 66 && missing.errors.contains("/no/such/old.json"), "\(missing.errors)")
    let bound = try engineBench("compare", "a", "b", "--fail-over", "little")
    #expect(bound.status == 64 && bound.errors.contains("--fail-over"), "\(bound.errors)")
    #expect(try engineBench("compare", "a").status == 64)
  }
}
