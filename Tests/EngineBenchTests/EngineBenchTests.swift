import Foundation
import Testing

// The built command as its user runs it. Exit codes are those of `ExitStatus`.

@Suite(.serialized) struct EngineBenchTests {
  static let header = "name,n,c,h,w,k,r,s,stride,pad,dil,groups\n"

  /// Sanitizers make training a hundred times slower: they see it in the next test, in one epoch.
  private static let isShort = ProcessInfo.processInfo.environment["TESSERA_TESTS"] == "short"

  @Test(.enabled(if: !isShort, "the next test trains"))
  func theMainJobTrainsTheDigits() throws {
    let result = try engineBench()
    #expect(result.status == 0)
    #expect(result.output.contains("workers"))
    #expect(result.output.contains("GFLOP/s"))
    #expect(result.output.contains("GB/s"))
    let line = try #require(result.lines.first { $0.hasPrefix("test accuracy ") })
    let match = try #require(line.wholeMatch(of: /test accuracy (\d+\.\d\d) %/))
    #expect(try #require(Double(match.1)) >= 97)
    #expect(result.output.contains("forward ms"))
    #expect(result.output.contains("backward ms"))
    #expect(result.lines.contains { $0.hasPrefix("conv2d_1 ") })
    #expect(result.lines.allSatisfy { $0.count <= 80 })
  }

  @Test func trainingEndsWithTheAccuracyWhateverTheWorkers() throws {
    let last = try (Self.isShort ? ["1", "2"] : ["1", "2", "3"]).map { workers in
      let result = try engineBench(
        "train", "--epochs", Self.isShort ? "1" : "2", "--batch", "100", "--seed", "3", "--workers", workers)
      #expect(result.status == 0, "\(result.errors)")
      return try #require(result.lines.last)
    }
    #expect(last[0].wholeMatch(of: /test accuracy \d+\.\d\d %/) != nil)
    #expect(Set(last).count == 1)
  }

  #if os(Linux)
    /// On a terminal a bar is drawn over, with loss, accuracy and images a second, in 80 columns; what stays is the same
    /// lines as elsewhere.
    @Test func progressFitsATerminal() throws {
      let text = try engineBenchOnTerminal("train", "--epochs", "1")
      // Warnings of a busy machine share the terminal.
      let drawn = text.split { $0 == "\r" || $0 == "\n" || $0 == "\r\n" }
        .map { $0.replacing("\u{1B}[K", with: "") }.filter { !$0.hasPrefix("warning:") }
      let bars = drawn.filter { $0.hasPrefix("[") }
      #expect(!bars.isEmpty)
      for bar in bars {
        #expect(bar.count < 80)
        #expect(
          bar.wholeMatch(of: /\[[#.]+\] epoch 1\/1  loss [\d.]+  accuracy [\d.]+ %  [\d,]+ images\/s(  \d+:\d\d left)?/)
            != nil, "\(bar)")
      }
      #expect(drawn.last?.wholeMatch(of: /test accuracy \d+\.\d\d %/) != nil)
    }
  #endif

  @Test func topologyNamesWhatWasChosen() throws {
    let result = try engineBench("topology", "--workers", "3", "--isa", "baseline")
    #expect(result.status == 0)
    #expect(result.lines.contains { $0.hasPrefix("workers") && $0.contains(" 3") })
    #expect(result.lines.contains { $0.hasPrefix("instruction set") && $0.contains("baseline") })
  }

  /// Options overrule the environment.
  @Test func theEnvironmentSaysWhatOptionsDont() throws {
    let environment = ["TESSERA_ISA": "baseline", "TESSERA_WORKERS": "2"]
    func workersAndISA(_ result: CommandResult) throws -> String {
      let object = try result.records("network")[0]
      return "\(object["workers"] ?? "") \(object["isa"] ?? "")"
    }
    let byEnvironment = try engineBench(
      "network", "digits_cnn", "--duration", "0.01", "--format", "json", environment: environment)
    #expect(try workersAndISA(byEnvironment) == "2 baseline")
    let overruled = try engineBench(
      "network", "digits_cnn", "--duration", "0.01", "--format", "json", "--workers", "1", "--isa", "baseline",
      environment: ["TESSERA_ISA": "nonsense", "TESSERA_WORKERS": "-7"])
    #expect(try workersAndISA(overruled) == "1 baseline")
  }

  @Test(arguments: ["inference", "training"])
  func checksumsDependOnSeedAndProblemOnly(mode: String) throws {
    func run(_ workers: String, _ duration: String, seed: String = "5") throws -> [String: Any] {
      let result = try engineBench(
        "network", "digits_cnn", "--batch", "6", "--mode", mode, "--workers", workers, "--seed", seed,
        "--duration", duration, "--format", "json")
      #expect(result.status == 0, "\(result.errors)")
      return try result.records("network")[0]
    }
    let first = try run("1", "0.01")
    let keys = ["network", "batch", "mode", "workers", "best_ms", "median_ms", "images_per_second", "checksum"]
    for key in keys { #expect(first[key] != nil, "\(key)") }
    let checksum = try #require(first["checksum"] as? String)
    for workers in ["1", "2", "5"] {
      #expect(try run(workers, "0.1")["checksum"] as? String == checksum)
    }
    #expect(try run("2", "0.01", seed: "6")["checksum"] as? String != checksum)
  }

  /// Clients at once get the bits of a run alone, or the command fails.
  @Test func streamsAreClientsAtOnce() throws {
    func run(_ streams: String) throws -> [String: Any] {
      let result = try engineBench(
        "network", "digits_cnn", "--batch", "2", "--streams", streams, "--duration", "0.05", "--format", "json")
      #expect(result.status == 0, "\(result.errors)")
      return try result.records("network")[0]
    }
    let (alone, together) = (try run("1"), try run("3"))
    #expect(together["streams"] as? Int == 3)
    #expect(together["checksum"] as? String == alone["checksum"] as? String)
    let keys = ["median_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"]
    for result in [alone, together] {
      let latencies = try keys.map { try #require(result[$0] as? Double) }
      #expect(latencies == latencies.sorted() && latencies[0] > 0)
    }
  }

  @Test func profilesSayWhereTheTimeGoes() throws {
    func profile(_ format: String) throws -> CommandResult {
      try engineBench(
        "network", "digits_cnn", "--mode", "training", "--duration", "0.01", "--profile", "--format", format)
    }
    let table = try profile("text")
    #expect(table.status == 0, "\(table.errors)")
    let header = try #require(table.lines.firstIndex { $0.hasPrefix("kernel ") })
    #expect(table.lines[header...].contains { $0.hasPrefix("conv2d.backward-weights.") })
    #expect(table.lines.last?.hasPrefix("run ") == true)
    let objects = try profile("json").records("node")
    let convolution = try #require(objects.first { $0["node"] as? String == "conv2d" })
    #expect(try #require(convolution["ms"] as? Double) > 0)
    #expect(try #require(convolution["gflops"] as? Double) > 0)
  }

  @Test func layersAreTimedAndVerified() throws {
    let rows = Self.header + "odd,2,7,13,11,9,3,2,2,1,2,1\n\n  grouped , 1,8,5,5,12,3,3,1,1,1,4\r\n"
    try withFile(rows) { path in
      let result = try engineBench(
        "layers", "--layers", path, "--verify", "--workers", "2", "--time-limit", "0.02", "--format", "json")
      #expect(result.status == 0, "\(result.errors)")
      let objects = try result.records("layer")
      #expect(objects.map { $0["name"] as? String } == ["odd", "odd", "odd", "grouped", "grouped", "grouped"])
      #expect(objects.prefix(3).map { $0["pass"] as? String } == ["forward", "backward-data", "backward-weights"])
      for object in objects {
        for key in ["best_ms", "median_ms", "gflops", "percent_of_peak"] {
          #expect(try #require(object[key] as? Double) > 0, "\(key)")
        }
        #expect(object["prepare_ms"] is Double)
        #expect(object["workers"] as? Int == 2)
        #expect((object["algorithm"] as? String)?.isEmpty == false)
        // Sums of at most 63 products in single precision.
        #expect(try #require(object["max_error"] as? Double) < 1e-5)
      }
      let forward = try engineBench("layers", "--layers", path, "--pass", "forward", "--time-limit", "0.02")
      #expect(forward.lines.filter { $0.hasPrefix("odd") }.count == 1)
      #expect(forward.lines.allSatisfy { $0.count <= 80 })
    }
  }

  @Test func operationsAreComparedWithTheBandwidthOfTheirLevel() throws {
    let arguments = [
      "operations", "--operator", "max_pool2x2", "--size", "cache", "--duration", "0.01", "--workers", "2",
    ]
    let result = try engineBench(arguments: arguments + ["--format", "json"])
    #expect(result.status == 0, "\(result.errors)")
    let objects = try result.records("operation")
    let channels = [3, 3, 10, 10, 64, 64, 256, 256]
    #expect(objects.map { $0["name"] as? String } == channels.map { "max_pool2x2s2.c\($0)" })
    #expect(Set(objects.map { $0["pass"] as? String }) == ["forward", "backward"])
    for object in objects {
      for key in ["best_ms", "median_ms", "gigabytes_per_second", "reference_gigabytes_per_second"] {
        #expect(try #require(object[key] as? Double) > 0, "\(key)")
      }
      let (rate, reference) = (
        object["gigabytes_per_second"] as? Double, object["reference_gigabytes_per_second"] as? Double
      )
      let percent = try #require(object["percent_of_bandwidth"] as? Double)
      #expect(abs(percent - 100 * (rate ?? 0) / (reference ?? 1)) < 1e-6 * percent)
      #expect((object["kernel"] as? String)?.hasPrefix("max_pool.") == true)
      #expect(object["workers"] as? Int == 2)
    }
    // x once, y and its mask, a quarter of x each.
    #expect(objects[6]["bytes"] as? Int == 14 * 14 * 256 * 4 * 3 / 2)

    let csv = try engineBench(arguments: arguments + ["--format", "csv"])
    // Sections of the environment, the operators and the noise.
    let sections = csv.output.split(separator: "\n\n")
    #expect(sections.count == 3)
    let lines = sections[1].split(separator: "\n")
    let columns = lines[0].split(separator: ",").map(String.init)
    #expect(columns == objects[0].keys.sorted())
    #expect(lines.count == 1 + channels.count)
    #expect(lines.allSatisfy { $0.split(separator: ",").count == columns.count })

    let text = try engineBench("operations", "--operator", "dense512", "--duration", "0.01")
    #expect(text.lines.count == 3)
    #expect(text.lines.allSatisfy { $0.count <= 80 })
  }

  /// Every operator there is runs, those of updates on variables too.
  @Test func allOperationsRunInCache() throws {
    let result = try engineBench("operations", "--size", "cache", "--duration", "0.001", "--workers", "1")
    #expect(result.status == 0, "\(result.errors)")
    for name in ["relu", "dropout", "batch_norm.c3", "softmax.c10", "squared_error", "adamw", "dense4096x4096.n16"] {
      #expect(result.lines.contains { $0.hasPrefix(name + " ") }, "\(name)")
    }
  }

  @Test func peaksNameSetsLevelsAndTeams() throws {
    let result = try engineBench("peak", "--isa", "baseline", "--workers", "2", "--format", "json")
    #expect(result.status == 0, "\(result.errors)")
    let objects = try result.records("peak")
    #expect(Set(objects.compactMap { $0["level"] as? String }) == ["registers", "L1", "L2", "L3", "memory", ""])
    #expect(Set(objects.compactMap { $0["workers"] as? Int }) == [1, 2])
    for object in objects {
      #expect(object["isa"] as? String == "baseline")
      #expect(try #require(object["value"] as? Double) > 0, "\(object)")
    }
    #expect(objects.contains { $0["measure"] as? String == "fill.stream" })
    for run in ["empty_run", "empty_node"] {
      #expect(objects.filter { $0["measure"] as? String == run && $0["unit"] as? String == "us" }.count == 2)
    }
  }

  /// Rows below the header, and what the error must hold.
  static let badRows: [(rows: String, fragment: String)] = [
    ("", "at least one layer"),
    ("a,1,2", ":2"),
    ("a,1,1,1,1,1,1,1,1,0,1,1\nb,1,1,x,1,1,1,1,1,0,1,1", ":3, column h"),
    ("a,1,1,1,1,1,0,1,1,0,1,1", ":2, column r"),
    ("a,1,1,1,1,1,1,1,-1,0,1,1", ":2, column stride"),
    ("a,1,3,4,4,4,1,1,1,0,1,2", ":2"),
    ("a,1,1,2,2,1,3,3,1,0,1,1", ":2"),
    ("a,9999999,9999999,9999999,9999999,1,1,1,1,0,1,1", ":2"),
    ("a,1,1,1,1,1,1,1,1,0,1,1,77", ":2"),
  ]

  @Test(arguments: badRows) func badRowsNameTheirLine(rows: String, fragment: String) throws {
    try expectUnreadable(Self.header + rows, fragment)
  }

  @Test func badHeadersAreErrors() throws {
    try expectUnreadable("", "columns")
    try expectUnreadable("name,n\n", ":1")
  }

  private func expectUnreadable(_ text: String, _ fragment: String) throws {
    try withFile(text) { path in
      let result = try engineBench("layers", "--layers", path)
      #expect(result.status == 65)
      #expect(result.output.isEmpty)
      #expect(result.errors.split(separator: "\n").count == 1)
      #expect(result.errors.contains(fragment), "\(result.errors)")
      #expect(result.errors.contains("expected"), "\(result.errors)")
    }
  }

  @Test func whatIsWrongIsSaid() throws {
    func expectFailure(_ status: Int32, _ fragments: [String], _ result: CommandResult) {
      #expect(result.status == status)
      for fragment in fragments { #expect(result.errors.contains(fragment), "\(result.errors)") }
    }
    expectFailure(64, ["one of mnist_cnn", "found \"mnist_cn\""], try engineBench("network", "mnist_cn"))
    expectFailure(64, ["--workers", "found 0"], try engineBench("topology", "--workers", "0"))
    expectFailure(64, ["--isa", "baseline", "sse9"], try engineBench("topology", "--isa", "sse9"))
    expectFailure(64, ["--batch", "found 0"], try engineBench("network", "mnist_cnn", "--batch", "0"))
    expectFailure(64, ["--streams", "found 0"], try engineBench("network", "mnist_cnn", "--streams", "0"))
    expectFailure(
      64, ["--streams", "in training", "found 2"],
      try engineBench("network", "mnist_cnn", "--streams", "2", "--mode", "training"))
    expectFailure(
      71, ["system failure", "bytes of memory"], try engineBench("network", "resnet18", "--batch", "1048576"))
    expectFailure(64, ["--epochs"], try engineBench("train", "--epochs", "0"))
    expectFailure(64, ["--pass"], try engineBench("layers", "--pass", "sideways"))
    expectFailure(64, ["--data"], try engineBench("train", "--dataset", "mnist"))
    expectFailure(
      64, ["--operator", "max_pool2x2s2", "found \"jump\""], try engineBench("operations", "--operator", "jump"))
    expectFailure(64, ["--duration"], try engineBench("operations", "--duration", "0"))
    expectFailure(64, ["dance"], try engineBench("dance"))
    expectFailure(66, ["/no/such", "expected"], try engineBench("train", "--dataset", "cifar10", "--data", "/no/such"))
    expectFailure(65, ["/no/such.csv"], try engineBench("layers", "--layers", "/no/such.csv"))
    expectFailure(64, ["images of [32, 32, 3]", "[8, 8, 1]"], try engineBench("train", "--network", "cifar_cnn"))
    expectFailure(
      64, ["TESSERA_WORKERS", "many"], try engineBench("topology", environment: ["TESSERA_WORKERS": "many"]))
    expectFailure(69, ["TESSERA_ISA", "sse9"], try engineBench("topology", environment: ["TESSERA_ISA": "sse9"]))
    #expect(try engineBench("--help").status == 0)
  }

  /// Every part of the plan, and how far the process grew: within 5 % where it is large beside what is never planned.
  @Test(.enabled(if: !isShort, "sanitizers take memory of their own")) func memoryIsWhatWasPlanned() throws {
    let text = try engineBench("memory", "resnet18", "--batch", "8", "--workers", "2")
    #expect(text.status == 0, "\(text.errors)")
    for part in ["weights", "optimizer state", "arena", "scratch", "planned", "growth measured", "large pages"] {
      #expect(text.lines.contains { $0.hasPrefix(part) }, "\(part)")
    }
    #expect(text.lines.allSatisfy { $0.count <= 80 })
    let result = try engineBench("memory", "resnet18", "--batch", "8", "--workers", "2", "--format", "json")
    let object = try result.records("memory")[0]
    let (expected, growth) = (object["expected_growth_bytes"] as? Int ?? 0, object["peak_growth_bytes"] as? Int ?? 0)
    #expect(expected > 200 << 20 && abs(expected - growth) * 20 <= growth, "\(expected) \(growth)")
    let limited = try engineBench("memory", "resnet18", "--batch", "8", "--limit", "100")
    #expect(limited.status == 71 && limited.errors.contains("memory limit exceeded"))
    let network = try engineBench("network", "digits_cnn", "--duration", "0.01")
    #expect(network.lines.contains { $0.hasPrefix("planned memory") })
  }

  @Test func tracesAreWritten() throws {
    try withFile("") { path in
      let result = try engineBench("trace", "digits_cnn", "--mode", "training", "--workers", "2", "--out", path)
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.lines.contains { $0.hasPrefix("worker") })
      let file = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as? [String: Any]
      let events = try #require(file?["traceEvents"] as? [[String: Any]])
      #expect(events.contains { $0["name"] as? String == "worker 1" } == false)
      #expect(events.contains { ($0["args"] as? [String: Any])?["name"] as? String == "worker 1" })
    }
    #expect(try engineBench("trace", "digits_cnn", "--out", "/nowhere/trace.json").status == 73)
  }
}
