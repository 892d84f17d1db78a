import Foundation
import Tessera
import TesseraKernels

/// The cores of a machine, and what they share.
struct TopologyRecord: Record {
  static let recordName = "topology"

  struct Core: Encodable {
    let core: Int, processor: Int, threads: Int, package: Int
    let numaNode: Int, level3: Int, level2: Int

    enum CodingKeys: String, CodingKey {
      case core, processor, threads, package
      case numaNode = "numa_node"
      case level3 = "l3"
      case level2 = "l2"
    }
  }

  /// Whether it is the machine that this ran on.
  let isThisSystem: Bool
  let workers: Int
  /// Why there are so many.
  let reason: String
  let cores: [Core]

  enum CodingKeys: String, CodingKey {
    case workers, cores
    case reason = "workers_reason"
    case isThisSystem = "is_this_system"
  }

  init(_ machine: Machine, _ choice: WorkerChoice) {
    isThisSystem = machine.isThisSystem
    (workers, reason) = (choice.workers, choice.reason)
    cores = machine.cores.map {
      Core(
        core: $0.index, processor: $0.processor, threads: $0.processorCount, package: $0.package,
        numaNode: $0.numaNode,
        level3: $0.level3, level2: $0.level2)
    }
  }
}

enum TopologyReport {
  static func text(_ machine: Machine, _ choice: WorkerChoice, instructionSet: InstructionSet)
    -> String
  {
    let workers = choice.workers
    let caches = machine.caches
    let nodes = Set(machine.cores.map(\.numaNode)).count
    let packages = Set(machine.cores.map(\.package)).count
    let supported = KernelCatalogue.supported.map(\.name).joined(separator: ", ")
    let cores = Set(machine.cores.map(\.index)).count
    var lines = [
      "processor        \(machine.isThisSystem ? machine.processorName : "not this machine's: described or read")",
      "cores            \(cores) usable of \(machine.machineCoreCount), "
        + "\(Format.count(packages, "package")), \(Format.count(nodes, "NUMA node"))",
      "caches           L1 \(size(caches.level1Bytes)), L2 \(size(caches.level2Bytes)), "
        + "L3 \(size(caches.level3Bytes))",
    ]
    if machine.memoryBytes > 0 { lines.append("memory           \(size(machine.memoryBytes))") }
    if machine.isThisSystem, let affinity = System.affinity {
      lines.append("affinity         processors \(affinity)")
    }
    if let quota = machine.quota {
      lines.append("quota            \(Format.fixed(quota, 2)) processors (control group)")
    }
    lines.append("instruction set  \(instructionSet.name) (of \(supported))")
    lines.append("workers          \(workers)\(placement(machine, workers))")
    lines.append("chosen           \(choice.reason)")
    if workers > machine.cores.count {
      lines.append(
        "warning          more workers than cores: \(workers - machine.cores.count) run unbound")
    }
    return lines.joined(separator: "\n")
  }

  /// The processors that workers bind to.
  private static func placement(_ machine: Machine, _ workers: Int) -> String {
    guard workers > 1 else { return ", not bound" }
    let processors = machine.cores.prefix(workers).map { String($0.processor) }
    let shown = processors.prefix(12).joined(separator: " ") + (processors.count > 12 ? " ..." : "")
    return ", on processors \(shown)"
  }

  static func size(_ bytes: Int) -> String {
    for (unit, name) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] where bytes >= 1 << unit {
      return
        "\(Format.fixed(Double(bytes) / Double(1 << unit), bytes % (1 << unit) == 0 ? 0 : 1)) \(name)"
    }
    return "\(bytes) B"
  }
}

/// How many workers there are, and why.
struct WorkerChoice {
  let workers: Int
  let reason: String

  /// Of what is asked for on a command line, else in the environment, else what the machine suggests.
  /// - Parameter asked: nil: nothing.
  /// - Throws: ``TesseraError/Code/invalidAttribute`` for what the environment holds.
  init(asked: Int?, on machine: Machine, countsHardwareThreads: Bool) throws(TesseraError) {
    if let asked {
      (workers, reason) = (asked, "by --workers")
      return
    }
    // The environment is about this machine as it is usually counted.
    if machine.isThisSystem, !countsHardwareThreads {
      workers = try EnvironmentSettings.workerCount()
      if let text = ProcessInfo.processInfo.environment["TESSERA_WORKERS"], !text.isEmpty {
        reason = "by TESSERA_WORKERS"
        return
      }
    } else {
      workers = machine.defaultWorkerCount
    }
    if workers < machine.cores.count {
      reason = "whole processors within the quota: a worker that waits for time makes all wait"
    } else {
      reason = countsHardwareThreads ? "one a usable hardware thread" : "one a usable core"
    }
  }
}
