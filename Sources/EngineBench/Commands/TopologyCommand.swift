import ArgumentParser
import Tessera
import TesseraKernels

struct TopologyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "topology", abstract: "The part of the machine that this process may use.")

  @OptionGroup var machine: MachineOptions

  func run() throws {
    print(
      TopologyReport.text(
        .current, workers: try machine.resolvedWorkers(),
        instructionSet: try machine.resolvedInstructionSet()))
  }
}

enum TopologyReport {
  static func text(_ machine: Machine, workers: Int, instructionSet: InstructionSet) -> String {
    let caches = machine.caches
    let nodes = Set(machine.cores.map(\.numaNode)).count
    let packages = Set(machine.cores.map(\.package)).count
    let supported = KernelCatalogue.supported.map(\.name).joined(separator: ", ")
    var lines = [
      "processor        \(machine.processorName)",
      "cores            \(machine.cores.count) usable of \(machine.machineCoreCount), "
        + "\(packages) package\(packages == 1 ? "" : "s"), \(nodes) NUMA node\(nodes == 1 ? "" : "s")",
      "caches           L1 \(size(caches.level1Bytes)), L2 \(size(caches.level2Bytes)), "
        + "L3 \(size(caches.level3Bytes))",
    ]
    if machine.memoryBytes > 0 { lines.append("memory           \(size(machine.memoryBytes))") }
    lines.append("instruction set  \(instructionSet.name) (of \(supported))")
    lines.append("workers          \(workers)\(placement(machine, workers))")
    return lines.joined(separator: "\n")
  }

  /// The processors that workers bind to.
  private static func placement(_ machine: Machine, _ workers: Int) -> String {
    guard workers > 1 else { return ", not bound" }
    let processors = machine.cores.prefix(workers).map { String($0.processor) }
    let shown = processors.prefix(16).joined(separator: " ") + (processors.count > 16 ? " ..." : "")
    let unbound = workers - processors.count
    return ", on processors \(shown)" + (unbound > 0 ? ", \(unbound) not bound" : "")
  }

  static func size(_ bytes: Int) -> String {
    for (unit, name) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] where bytes >= 1 << unit {
      return "\(Format.fixed(Double(bytes) / Double(1 << unit), bytes % (1 << unit) == 0 ? 0 : 1)) \(name)"
    }
    return "\(bytes) B"
  }
}
