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
      """
        + "\n\n"
        + examples("topology", "topology --plan resnet50 --batch 256 --synthetic \"package:2 numa:4 l3:4 core:8\""))

  @Option(help: ArgumentHelp("Describe a machine that needn't exist.", valueName: "levels"))
  var synthetic: String?

  @Option(help: ArgumentHelp("Read a machine from hwloc's XML.", valueName: "file"))
  var xml: String?

  @Flag(help: "Count hardware threads, not cores.")
  var smt = false

  @Option(
    help: ArgumentHelp(
      "Place the inference of a network, or of an ONNX model, on the machine.", valueName: "network"
    ))
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
    try expectOption("--batch", batch, in: batchSizes)
    if let plan { try NetworkSource.validate(plan) }
    if synthetic != nil, xml != nil {
      throw ValidationError("--synthetic and --xml: expected one machine, found two")
    }
  }

  func run() throws {
    let shown = try shownMachine()
    let choice = try WorkerChoice(asked: machine.workers, on: shown, countsHardwareThreads: smt)
    let workers = choice.workers
    let instructionSet = try machine.resolvedInstructionSet()
    let source = try plan.map { (plan) throws(TesseraError) in try NetworkSource(plan) }
    try output.write(machine, measures: measure) { writer in
      let report = try planReport(source, shown, workers: workers, instructionSet)
      try writer.write(
        TopologyRecord(shown, choice),
        text: TopologyReport.text(shown, choice, instructionSet: instructionSet) + "\n\n"
          + MachineTree.text(shown, workers: workers, batch: report?.batch))
      if let report { try writer.write(report, text: "\n" + report.text) }
    }
  }

  private func planReport(
    _ source: NetworkSource?, _ shown: Machine, workers: Int, _ instructionSet: InstructionSet
  ) throws -> PlanReport? {
    guard let source else { return nil }
    let network = source.network
    let program = try Program(
      network.model.graph(batch: batch), options: machine.programOptions(), for: shown)
    var figures = MachineFigures.measured(instructionSet)
    if let nodeBandwidth {
      let writes = figures.memoryPerNode.write / figures.memoryPerNode.read
      figures.memoryPerNode = MachineFigures.Rate(read: nodeBandwidth, write: nodeBandwidth * writes)
    }
    var report = try PlanReport(
      network.name, batch: batch, program, on: shown, workers: workers, figures: figures)
    if measure { try report.measure(source, options: machine.programOptions(), duration: 1.5) }
    return report
  }

  private func shownMachine() throws(TesseraError) -> Machine {
    if let synthetic { return try Machine(synthetic: synthetic, usesHardwareThreads: smt) }
    if let xml { return try Machine(xmlFile: xml, usesHardwareThreads: smt) }
    return smt ? Machine.detected(usesHardwareThreads: true) : .current
  }
}
