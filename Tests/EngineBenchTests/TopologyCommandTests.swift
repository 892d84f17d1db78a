import Foundation
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite(.serialized) struct TopologyCommandTests {
  static let large = "package:2 numa:4 l3:4 core:8 pu:2"

  @Test func aLargeMachineIsDrawnAnywhere() throws {
    let result = try engineBench("topology", "--synthetic", Self.large)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("256 usable of 256, 2 packages, 8 NUMA nodes"))
    #expect(result.output.contains("workers          256"))
    #expect(result.lines.last?.contains("248-255") == true)
    #expect(result.lines.allSatisfy { $0.count <= 80 })
    let threads = try engineBench("topology", "--synthetic", Self.large, "--smt")
    #expect(threads.output.contains("workers          512"))
    let more = try engineBench("topology", "--synthetic", "core:2 pu:1", "--workers", "5")
    #expect(more.lines.contains { $0.hasPrefix("warning") && $0.contains("3 run unbound") })
  }

  /// What is below what, how many workers there are, and why.
  @Test func theMachineIsATree() throws {
    let result = try engineBench("topology", "--synthetic", "package:2 numa:2 l3:2 l2:2 core:2 pu:2")
    #expect(result.status == 0, "\(result.errors)")
    for line in ["package 1 ", "  NUMA node 3 ", "    L3 7 ", "      L2 15 "] {
      #expect(result.lines.contains { $0.hasPrefix(line) }, "\(line)")
    }
    // Cores, processors, workers.
    #expect(result.lines.last?.split(separator: " ") == ["L2", "15", "30-31", "4", "30-31"])
    #expect(result.lines.contains { $0.hasPrefix("chosen") && $0.hasSuffix("one a usable core") })
    let asked = try engineBench("topology", "--workers", "2", "--format", "json")
    let record = try #require(try asked.records("topology").first)
    #expect(record["workers_reason"] as? String == "by --workers")
    let environment = try engineBench("topology", environment: ["TESSERA_WORKERS": "3"])
    #expect(environment.lines.contains { $0.hasPrefix("chosen") && $0.hasSuffix("by TESSERA_WORKERS") })
  }

  @Test func aPlanSaysWhoComputesWhat() throws {
    let result = try engineBench(
      "topology", "--plan", "cifar_cnn", "--batch", "256", "--synthetic", Self.large, "--node-bandwidth", "100")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.lines.allSatisfy { $0.count <= 80 })
    #expect(result.lines.contains { $0.hasSuffix("8.00-16.00") })
    #expect(result.output.contains("not a measurement"))
    #expect(result.lines.contains { $0.hasPrefix("conv2d_1 ") })
    let json = try engineBench(
      "topology", "--plan", "cifar_cnn", "--synthetic", "core:2 pu:1", "--format", "json")
    let object = try json.records("plan")[0]
    let explanation = try #require(object["explanation"] as? [String: Any])
    let nodes = try #require(explanation["nodes"] as? [[String: Any]])
    #expect(nodes.contains { $0["algorithm"] as? String == "winograd4x4" && $0["tile"] is String })
    #expect((object["scaling"] as? [Any])?.count == 2)
  }

  @Test func whatIsWrongIsSaid() throws {
    for (arguments, status, fragment) in [
      (["--synthetic", "core:many"], Int32(64), "\"core:many\""),
      (["--synthetic", ""], 64, "levels as in"),
      (["--xml", "/no/such.xml"], 65, "/no/such.xml"),
      (["--xml", "a", "--synthetic", "core:1 pu:1"], 64, "one machine"),
      (["--plan", "resnet_18"], 64, "resnet18"),
      (["--plan", "cifar_cnn", "--batch", "0"], 64, "--batch"),
      (["--measure"], 64, "--plan"),
      (["--plan", "cifar_cnn", "--node-bandwidth", "0"], 64, "--node-bandwidth"),
    ] {
      let result = try engineBench(arguments: ["topology"] + arguments)
      #expect(result.status == status)
      #expect(result.errors.contains(fragment) && result.errors.contains("expected"), "\(result.errors)")
    }
    let result = try engineBench("topology", environment: ["TESSERA_SMT": "yes"])
    #expect(result.status == 64 && result.errors.contains("TESSERA_SMT"))
  }

  #if os(Linux)
    private static let taskset = "/usr/bin/taskset"

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: taskset), "no taskset here"))
    func tasksetToOneProcessorIsHonoured() throws {
      let result = try engineBench("topology", under: [Self.taskset, "-c", "0"])
      #expect(result.lines.contains { $0.hasPrefix("workers") && $0.contains(" 1,") }, "\(result.output)")
      #expect(result.lines.contains { $0.hasPrefix("cores") && $0.contains(" 1 usable of ") }, "\(result.output)")
    }

    /// A control group of 1.5 processors; nil where the system lets none be made. Its maker removes it.
    private static func makeGroup() -> URL? {
      for (parent, files) in [
        ("/sys/fs/cgroup/cpu", [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "150000")]),
        ("/sys/fs/cgroup", [("cpu.max", "150000 100000")]),
      ] {
        let group = URL(fileURLWithPath: parent).appendingPathComponent("tessera-test-\(getpid())")
        guard mkdir(group.path, 0o755) == 0 else { continue }
        do {
          for (file, text) in files {
            let handle = try FileHandle(forWritingTo: group.appendingPathComponent(file))
            try handle.write(contentsOf: Data(text.utf8))
          }
          return group
        } catch { rmdir(group.path) }
      }
      return nil
    }

    @Test func aQuotaOfOneAndAHalfProcessorsIsOneWorker() throws {
      // The quotas of test roots cover what can't be made here.
      guard let group = Self.makeGroup() else { return }
      defer { rmdir(group.path) }
      let result = try engineBench(
        "topology", under: ["/bin/sh", "-c", "echo $$ > \(group.path)/cgroup.procs && exec \"$@\"", "sh"])
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.lines.contains { $0.hasPrefix("workers") && $0.contains(" 1,") }, "\(result.output)")
      #expect(result.lines.contains { $0.hasPrefix("quota") && $0.contains("1.50") }, "\(result.output)")
    }
  #endif
}
