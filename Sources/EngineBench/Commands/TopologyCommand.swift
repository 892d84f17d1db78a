import ArgumentParser
import Tessera
import TesseraKernels
import TesseraNetworks
import TesseraRuntime

struct TopologyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "topology", abstract: "The part of a machine that a process may use, and who computes what on it.",
    discussion: """
      The machine is this one as far as affinity mask and control groups allow, or one that needn't exist, or one that \
      `lstopo file.xml` has written down. A synthetic description holds levels from the outside in with counts per parent, as \
      in "package:2 numa:4 l3:4 core:8 pu:2", which are 256 cores. With --plan the peak and the bandwidths of a core are \
      measured here, within some two seconds, and a run is predicted from them: of the machine shown, never measured on it.
      """)

  @Option(help: ArgumentHelp("Describe a machine that needn't exist.", valueName: "levels"))
  var synthetic: String?

  @Option(help: ArgumentHelp("Read a machine from hwloc's XML.", valueName: "file"))
  var xml: String?

  @Flag(help: "Count hardware threads, not cores.")
  var smt = false

  @Option(help: ArgumentHelp("Place a network's inference on the machine.", valueName: "network"))
  var plan: String?

  @Option(help: "Images a batch of the network placed.")
  var batch = 16

  @Option(
    help: ArgumentHelp("10^9 bytes a second of a NUMA node's memory (default: this machine's).", valueName: "rate"))
  var nodeBandwidth: Double?

  @Flag(help: "Measure the network here too, beside what is predicted.")
  var measure = false

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    if measure, plan == nil || synthetic != nil || xml != nil {
      throw ValidationError("--measure: expected --plan and this machine, found another")
    }
    if let nodeBandwidth, !(nodeBandwidth > 0 && nodeBandwidth <= 1e5) {
      throw ValidationError("--node-bandwidth: expected a number above 0, at most 100000, found \(nodeBandwidth)")
    }
    guard (1...1 << 20).contains(batch) else {
      throw ValidationError("--batch: expected 1 to \(1 << 20), found \(batch)")
    }
    if let plan {
      do throws(TesseraError) {
        _ = try NetworkCatalogue.network(named: plan)
      } catch {
        throw ValidationError("\(error)")
      }
    }
    if synthetic != nil, xml != nil {
      throw ValidationError("--synthetic and --xml: expected one machine, found two")
    }
  }

  func run() throws {
    let shown = try shownMachine()
    let workers =
      if let asked = machine.workers { asked } else if shown.isThisSystem && !smt {
        try EnvironmentSettings.workerCount()
      } else { shown.defaultWorkerCount }
    let instructionSet = try machine.resolvedInstructionSet()
    try output.write(machine, measures: measure) { writer in
      let report = try planReport(shown, workers: workers, instructionSet)
      try writer.write(
        TopologyRecord(shown, workers: workers),
        text: TopologyReport.text(shown, workers: workers, instructionSet: instructionSet) + "\n\n"
          + TopologyReport.drawing(shown, workers: workers, batch: report?.batch))
      if let report { try writer.write(report, text: "\n" + report.text) }
    }
  }

  private func planReport(_ shown: Machine, workers: Int, _ instructionSet: InstructionSet) throws -> PlanReport? {
    guard let plan else { return nil }
    let network = try NetworkCatalogue.network(named: plan)
    let program = try Program(network.model.graph(batch: batch), options: machine.programOptions(), for: shown)
    var figures = MachineFigures.measured(instructionSet)
    if let nodeBandwidth {
      let writes = figures.memoryPerNode.write / figures.memoryPerNode.read
      figures.memoryPerNode = MachineFigures.Rate(read: nodeBandwidth, write: nodeBandwidth * writes)
    }
    var report = try PlanReport(
      network.name, batch: batch, program, on: shown, workers: workers, figures: figures)
    if measure { try report.measure(network, options: machine.programOptions(), duration: 1.5) }
    return report
  }

  private func shownMachine() throws(TesseraError) -> Machine {
    if let synthetic { return try Machine(synthetic: synthetic, usesHardwareThreads: smt) }
    if let xml { return try Machine(xmlFile: xml, usesHardwareThreads: smt) }
    return smt ? Machine.detected(usesHardwareThreads: true) : .current
  }
}

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
  let cores: [Core]

  enum CodingKeys: String, CodingKey {
    case workers, cores
    case isThisSystem = "is_this_system"
  }

  init(_ machine: Machine, workers: Int) {
    isThisSystem = machine.isThisSystem
    self.workers = workers
    cores = machine.cores.map {
      Core(
        core: $0.index, processor: $0.processor, threads: $0.processorCount, package: $0.package, numaNode: $0.numaNode,
        level3: $0.level3, level2: $0.level2)
    }
  }
}

enum TopologyReport {
  static func text(_ machine: Machine, workers: Int, instructionSet: InstructionSet) -> String {
    let caches = machine.caches
    let nodes = Set(machine.cores.map(\.numaNode)).count
    let packages = Set(machine.cores.map(\.package)).count
    let supported = KernelCatalogue.supported.map(\.name).joined(separator: ", ")
    let cores = Set(machine.cores.map(\.index)).count
    var lines = [
      "processor        \(machine.isThisSystem ? machine.processorName : "not this machine's: described or read")",
      "cores            \(cores) usable of \(machine.machineCoreCount), "
        + "\(packages) package\(packages == 1 ? "" : "s"), \(nodes) NUMA node\(nodes == 1 ? "" : "s")",
      "caches           L1 \(size(caches.level1Bytes)), L2 \(size(caches.level2Bytes)), "
        + "L3 \(size(caches.level3Bytes))",
    ]
    if machine.memoryBytes > 0 { lines.append("memory           \(size(machine.memoryBytes))") }
    if let quota = machine.quota {
      lines.append("quota            \(Format.fixed(quota, 2)) processors (control group)")
    }
    lines.append("instruction set  \(instructionSet.name) (of \(supported))")
    lines.append("workers          \(workers)\(placement(machine, workers))")
    if workers > machine.cores.count {
      lines.append("warning          more workers than cores: \(workers - machine.cores.count) run unbound")
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

  /// One line for all cores that share a last-level cache: who works there and, of a plan, on which images.
  static func drawing(_ machine: Machine, workers: Int, batch: Int?) -> String {
    var table = TextTable(
      header: ["package", "node", "L3", "L2", "cores", "workers"] + (batch == nil ? [] : ["images"]))
    var first = 0
    var rest = machine.cores[...]
    var last: Machine.Core?
    while let core = rest.first {
      let group = rest.prefix {
        ($0.package, $0.numaNode, $0.level3) == (core.package, core.numaNode, core.level3)
      }
      rest = rest.dropFirst(group.count)
      let isNewPackage = last?.package != core.package
      // Workers without a core of their own are counted with the last.
      let next = rest.isEmpty ? max(first, workers) : min(workers, first + group.count)
      var row = [
        isNewPackage ? "\(core.package)" : "",
        isNewPackage || last?.numaNode != core.numaNode ? "\(core.numaNode)" : "",
        "\(core.level3)", "\(Set(group.map(\.level2)).count)", ranges(group.map(\.index)),
        first < next ? ranges(Array(first..<next)) : "-",
      ]
      if let batch {
        func image(_ worker: Int) -> String { Format.fixed(Double(batch * worker) / Double(workers), 2) }
        row.append(first < next ? "\(image(first))-\(image(next))" : "-")
      }
      table.add(row)
      (last, first) = (core, next)
    }
    return table.text
  }

  /// Ascending numbers as in "0-7 16", cut to 24 characters.
  private static func ranges(_ numbers: [Int]) -> String {
    var parts: [ClosedRange<Int>] = []
    for number in numbers {
      if let part = parts.last, part.upperBound + 1 >= number {
        parts[parts.count - 1] = part.lowerBound...number
      } else {
        parts.append(number...number)
      }
    }
    let text = parts.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      .joined(separator: " ")
    return text.count <= 24 ? text : text.prefix(20) + " ..."
  }

  static func size(_ bytes: Int) -> String {
    for (unit, name) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] where bytes >= 1 << unit {
      return "\(Format.fixed(Double(bytes) / Double(1 << unit), bytes % (1 << unit) == 0 ? 0 : 1)) \(name)"
    }
    return "\(bytes) B"
  }
}
