import Foundation
import Testing

/// `tune` writes a file of choices, `--choices` loads it.
@Suite(.serialized) struct TuneTests {
  private static let layers =
    EngineBenchTests.header
    + "dense,1,16,9,8,24,3,3,1,1,1,1\nfirst,1,1,14,14,16,7,7,1,0,1,1\nagain,1,16,9,8,24,3,3,1,1,1,1\n"

  /// Calls the body with the path of a file that isn't there yet, and checks that nothing is left beside it.
  private func withPath(_ body: (String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("tune-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(directory.appendingPathComponent("choices.json").path)
    let others = try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0 != "choices.json" }
    #expect(others == [])
  }

  private func algorithms(_ result: CommandResult) throws -> [String] {
    #expect(result.status == 0, "\(result.errors)")
    return try result.records("layer").map { try #require($0["algorithm"] as? String) }
  }

  /// What was chosen until Ctrl-C is in the file.
  @Test func interruptionsKeepChoices() throws {
    try withPath { path in
      let output = Pipe()
      let process = try startEngineBench(
        ["tune", "digits_cnn", "--batch", "4", "--out", path, "--duration", "0.5", "--format", "json"], output: output)
      var text = Data()
      while !String(decoding: text, as: UTF8.self).contains("\"tuning\"") {
        let more = output.fileHandleForReading.availableData
        try #require(!more.isEmpty)
        text += more
      }
      process.interrupt()
      text += output.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      #expect(process.terminationReason == .exit && process.terminationStatus == 130)
      let result = CommandResult(status: 130, output: String(decoding: text, as: UTF8.self), errors: "")
      let chosen = try result.records("tuning").count { $0["chosen"] as? Bool == true }
      let choices = try String(contentsOfFile: path, encoding: .utf8)
      #expect(chosen > 0 && choices.matches(of: /"algorithm"/).count == chosen)
    }
  }

  @Test func layersAreTunedAndTheFileIsLoaded() throws {
    try withFile(Self.layers) { layers in
      try withPath { path in
        let timed = ["layers", "--layers", layers, "--time-limit", "0.02", "--format", "json"]
        let tuned = try engineBench(
          "tune", "--layers", layers, "--out", path, "--duration", "0.05", "--workers", "2", "--format", "json")
        #expect(tuned.status == 0, "\(tuned.errors)")
        let rows = try tuned.records("tuning")
        // What appears twice is measured once; winograd serves 3x3, pixel blocks backward-data of few channels.
        func measured(_ name: String, _ pass: String) -> [String] {
          rows.filter { $0["name"] as? String == name && $0["pass"] as? String == pass }
            .compactMap { $0["algorithm"] as? String }
        }
        #expect(measured("dense", "forward") == ["direct", "winograd", "im2col"])
        #expect(measured("first", "forward") == ["direct", "im2col"])
        #expect(measured("first", "backward-data") == ["direct", "pixel-block", "im2col"])
        #expect(measured("again", "forward") == [])
        for row in rows { #expect(try #require(row["best_ms"] as? Double) > 0) }
        let chosen = rows.filter { $0["chosen"] as? Bool == true }
        #expect(chosen.count == 6)
        #expect(rows.filter { $0["usual"] as? Bool == true }.count == 6)

        // The kernels of `layers` are those that were chosen.
        let loaded = try algorithms(engineBench(arguments: timed + ["--choices", path]))
        for (kernel, row) in zip(loaded, chosen) {
          #expect(kernel.contains(".\(row["algorithm"] as? String ?? "none")"), "\(kernel)")
        }

        // What the file says is done, also where nothing measured it; an option overrules it.
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let edited = text.replacing(/"algorithm":"[a-z0-9-]+"/, with: "\"algorithm\":\"im2col\"")
        try Data(edited.utf8).write(to: URL(fileURLWithPath: path))
        let unrolled = try algorithms(
          engineBench(arguments: timed + ["--choices", path]))
        #expect(unrolled.count == 9)
        #expect(unrolled.allSatisfy { $0.contains(".im2col.") })
        let overruled = try algorithms(
          engineBench(arguments: timed + ["--choices", path, "--algorithm", "direct"]))
        #expect(overruled.allSatisfy { $0.contains(".direct.") })

        // Tuning again begins with it: one pass is measured, the others stay.
        let again = try engineBench(
          "tune", "--layers", layers, "--pass", "forward", "--choices", path, "--out", path, "--duration", "0.05")
        #expect(again.status == 0, "\(again.errors)")
        #expect(again.lines.allSatisfy { $0.count <= 80 || $0.contains("written to") })
        #expect(again.lines.filter { $0.hasPrefix("dense") }.count == 1)
        let kept = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        #expect(kept.filter { $0.contains("\"pass\":\"backward") && $0.contains("im2col") }.count == 4)
      }
    }
  }

  /// A network's convolutions, without the gradient that training doesn't need; the same bits with any number of
  /// workers and as often as it is loaded.
  @Test func networksAreTuned() throws {
    try withPath { path in
      let tuned = try engineBench(
        "tune", "digits_cnn", "--batch", "6", "--out", path, "--duration", "0.05", "--format", "json")
      #expect(tuned.status == 0, "\(tuned.errors)")
      let passes = try tuned.records("tuning").filter { $0["chosen"] as? Bool == true }.map {
        $0["pass"] as? String ?? ""
      }
      #expect(passes.sorted() == ["backward-data", "backward-weights", "backward-weights", "forward", "forward"])
      func checksum(_ arguments: String...) throws -> String {
        let result = try engineBench(
          arguments: [
            "network", "digits_cnn", "--batch", "6", "--mode", "training", "--duration", "0.01", "--format", "json",
          ] + arguments)
        #expect(result.status == 0, "\(result.errors)")
        return try #require(try result.records("network")[0]["checksum"] as? String)
      }
      let usual = try checksum()
      let text = try String(contentsOfFile: path, encoding: .utf8)
      let edited = text.replacing(/"algorithm":"[a-z0-9-]+"/, with: "\"algorithm\":\"im2col\"")
      try Data(edited.utf8).write(to: URL(fileURLWithPath: path))
      let unrolled = try checksum("--choices", path, "--workers", "1")
      #expect(unrolled != usual)
      #expect(try checksum("--choices", path, "--workers", "3") == unrolled)
    }
  }

  @Test func whatIsWrongIsSaidAndNothingIsWritten() throws {
    func expectFailure(_ status: Int32, _ fragments: [String], _ result: CommandResult) {
      #expect(result.status == status)
      #expect(result.output.isEmpty)
      for fragment in fragments { #expect(result.errors.contains(fragment), "\(result.errors)") }
      #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    }
    try withPath { path in
      expectFailure(64, ["--out"], try engineBench("tune"))
      expectFailure(64, ["found \"mnist_cn\""], try engineBench("tune", "mnist_cn", "--out", path))
      expectFailure(64, ["--batch", "found 0"], try engineBench("tune", "mnist_cnn", "--batch", "0", "--out", path))
      expectFailure(64, ["--batch", "network"], try engineBench("tune", "--batch", "4", "--out", path))
      expectFailure(64, ["found both"], try engineBench("tune", "mnist_cnn", "--layers", "x.csv", "--out", path))
      expectFailure(64, ["--pass", "sideways"], try engineBench("tune", "--pass", "sideways", "--out", path))
      expectFailure(64, ["--duration"], try engineBench("tune", "--duration", "0", "--out", path))
      expectFailure(65, ["/no/such.csv"], try engineBench("tune", "--layers", "/no/such.csv", "--out", path))
      expectFailure(
        73, ["/no/such/choices.json"], try engineBench("tune", "digits_cnn", "--out", "/no/such/choices.json"))
      expectFailure(65, ["/no/such.json"], try engineBench("tune", "--choices", "/no/such.json", "--out", path))
      #expect(!FileManager.default.fileExists(atPath: path))
    }
    try withFile("{\"schema\": 1, \"processor\": \"\", \"choices\": [}") { path in
      for arguments in [["layers"], ["network", "digits_cnn"], ["train"], ["run"], ["tune", "--out", path]] {
        expectFailure(65, [path, "JSON"], try engineBench(arguments: arguments + ["--choices", path]))
      }
    }
    try withFile("{\"schema\": 7}") { path in
      expectFailure(65, ["\(path), schema", "expected 1", "found 7"], try engineBench("run", "--choices", path))
    }
  }
}
