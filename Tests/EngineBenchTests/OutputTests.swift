import Foundation
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// What every command has in common: formats, files, progress, interruptions.
@Suite struct OutputTests {
  private static let network = ["network", "digits_cnn", "--batch", "2", "--duration", "0.01"]

  /// Calls the body with a folder that is gone afterwards.
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("output-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
  }

  private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

  @Test func theEnvironmentComesFirstAndTheNoiseLast() throws {
    let result = try engineBench(arguments: Self.network + ["--workers", "3", "--isa", "baseline", "--format", "json"])
    #expect(result.status == 0, "\(result.errors)")
    let objects = try result.objects()
    #expect(objects.map { $0["record"] as? String } == ["environment", "network", "noise"])
    let environment = objects[0]
    for key in [
      "processor", "architecture", "packages", "numa_nodes", "l1_bytes", "l2_bytes", "l2_groups", "l3_bytes",
      "l3_groups",
      "cores", "machine_cores", "threads_per_core", "memory_bytes", "affinity", "quota", "supported_isas", "kernel",
      "governor", "version", "commit", "date", "command", "warnings",
    ] {
      #expect(environment[key] != nil, "\(key)")
    }
    #expect(environment["workers"] as? Int == 3)
    #expect(environment["isa"] as? String == "baseline")
    #expect((environment["command"] as? [String])?.first == "network")
    #expect(try #require(environment["cores"] as? Int) >= 1)
    #expect((environment["kernel"] as? String)?.contains(" ") == true)
    #expect(try #require(objects[2]["clock_ratio"] as? Double) > 0)
  }

  @Test func aMeasurementSaysHowGoodItIs() throws {
    let result = try engineBench(
      arguments: Self.network + ["--spread", "0.0001%", "--time-limit", "0.02", "--format", "json"])
    let network = try result.records("network")[0]
    #expect(network["ended_by"] as? String == "time")
    #expect(try #require(network["windows"] as? Int) >= 5)
    #expect(try #require(network["spread"] as? Double) > 0)
    let loose = try engineBench(arguments: Self.network + ["--spread", "100000%", "--format", "json"])
    #expect(try loose.records("network")[0]["ended_by"] as? String == "spread")
    #expect(try loose.records("network")[0]["windows"] as? Int == 5)
  }

  /// A weight beyond the largest number makes every output a NaN.
  @Test func whatIsNotFiniteIsNull() throws {
    let result = try engineBench(
      "train", "--steps", "1", "--learning-rate", "1e38", "--schedule", "constant", "--warm-up", "0", "--format", "json"
    )
    #expect(result.status == 0, "\(result.errors)")
    #expect(try result.records("test")[0]["loss"] is NSNull)
  }

  @Test func csvHasASectionForEachKindOfRecord() throws {
    let result = try engineBench(arguments: Self.network + ["--profile", "--format", "csv"])
    #expect(result.status == 0, "\(result.errors)")
    let sections = result.output.split(separator: "\n\n").map { $0.split(separator: "\n") }
    #expect(sections.count == 4)
    #expect(sections[0][0].hasPrefix("affinity,architecture,command,"))
    #expect(sections[0][1].contains("\"[\"\"network\"\",\"\"digits_cnn\"\","))
    #expect(sections[2][0] == "batch,gflops,kernel,mode,ms,network,node,record,schema_version,workers")
    #expect(sections[2].count > 3)
  }

  @Test func filesAppearWhole() throws {
    try withFolder { folder in
      let path = "\(folder)/results.json"
      let result = try engineBench(arguments: Self.network + ["--out", path])
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.isEmpty)
      // The name says the format.
      let written = CommandResult(status: 0, output: try text(path), errors: "")
      #expect(try written.records("network").count == 1)
      _ = try engineBench(arguments: Self.network + ["--out", "\(folder)/results.txt"])
      #expect(try text("\(folder)/results.txt").hasPrefix("digits_cnn, batch 2"))
      _ = try engineBench(arguments: Self.network + ["--out", "\(folder)/results.txt", "--format", "csv"])
      #expect(try text("\(folder)/results.txt").hasPrefix("affinity,"))

      // What fails leaves what was there.
      let failed = try engineBench(
        "train", "--learning-rate", "1e38", "--schedule", "constant", "--warm-up", "0", "--out", path)
      #expect(failed.status == 70)
      #expect(try text(path) == written.output)
      let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      #expect(names == ["results.json", "results.txt"])
      // A device is written to, not replaced.
      #expect(try engineBench(arguments: Self.network + ["--out", "/dev/null"]).status == 0)
      #expect(
        try FileManager.default.attributesOfItem(atPath: "/dev/null")[.type] as? FileAttributeType != .typeRegular)
    }
  }

  @Test func unwritableOutputIsSaidFirst() throws {
    for arguments in [
      ["layers", "--out", "/no/such/folder/x.json"], ["network", "digits_cnn", "--out", "/"],
      ["tune", "digits_cnn", "--out", "/no/such/choices.json"],
      ["trace", "digits_cnn", "--out", "/no/such/trace.json"],
      ["export", "digits_cnn", "/dev/null/folder"],
    ] {
      let result = try engineBench(arguments: arguments)
      #expect(result.status == 73, "\(arguments) \(result.errors)")
      #expect(result.output.isEmpty)
      let errors = result.errors.split(separator: "\n").filter { !$0.hasPrefix("warning: ") }
      #expect(errors.count == 1 && errors[0].hasPrefix("Error: ") && errors[0].contains("written to"), "\(errors)")
    }
  }

  @Test func mistakesAreOneLine() throws {
    for (arguments, fragment) in [
      (["network", "resnet81"], "one of resnet18,"), (["network"], "<network>"), (["layers", "--bogus"], "--bogus"),
      (["layers", "--format", "xml"], "xml"), (["layers", "--spread", "0%"], "--spread"),
      (["layers", "--time-limit", "-1"], "--time-limit"), (["layers", "--workers", "-3"], "--workers"),
      (["network", "digits_cnn", "--seed", "-1"], "--seed"), (["layers", "--isa", "mmx"], "--isa"),
    ] {
      let result = try engineBench(arguments: arguments)
      #expect(result.status == 64, "\(arguments)")
      #expect(result.output.isEmpty)
      #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
      #expect(result.errors.hasPrefix("Error: ") && result.errors.contains(fragment), "\(result.errors)")
    }
  }

  @Test func quietIsQuiet() throws {
    let result = try engineBench(arguments: Self.network + ["--workers", "64", "--quiet"])
    #expect(result.status == 0)
    #expect(result.errors.isEmpty)
    let loud = try engineBench(arguments: Self.network + ["--workers", "64"])
    #expect(loud.errors.contains("warning: 64 workers, but"))
  }

  /// What was measured until Ctrl-C is there, and marked.
  @Test func interruptionsKeepWhatWasMeasured() throws {
    try withFolder { folder in
      let path = "\(folder)/results.json"
      let process = try startEngineBench(["network", "digits_cnn", "--duration", "3000", "--out", path])
      // It measures soon after its file is open.
      for _ in 0..<20_000 {
        if try !FileManager.default.contentsOfDirectory(atPath: folder).isEmpty || !process.isRunning { break }
        usleep(500)
      }
      usleep(300_000)
      #expect(!FileManager.default.fileExists(atPath: path))
      process.interrupt()
      process.waitUntilExit()
      #expect(process.terminationReason == .exit)
      #expect(process.terminationStatus == 130)
      let objects = try CommandResult(status: 130, output: text(path), errors: "").objects()
      #expect(objects.last?["record"] as? String == "interrupted")
      // Slow machines may not have come to measure.
      for network in objects where network["record"] as? String == "network" {
        #expect(network["ended_by"] as? String == "interrupted")
        #expect(try #require(network["images_per_second"] as? Double) > 0)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["results.json"])
    }
  }
}
