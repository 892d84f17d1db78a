import ArgumentParser
import Tessera
import TesseraKernels
import TesseraNetworks

struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "What a compiled network does, node by node, and what is expected of it.",
    discussion: """
      For each node: the algorithm, the tile that its kernel holds in registers, layout and shape of the result, the tasks and how \
      many of them a worker has of its own, operations of the direct algorithm, bytes of all operands, predicted time and what \
      bounds it, and where the result lies. Predictions are made of the peak and the bandwidths of this machine, measured first \
      within some two seconds; the network itself is not run.
      """
        + "\n\n" + examples("explain resnet50 --batch 8 --mode training --format json"))

  @OptionGroup var argument: NetworkArgument

  @OptionGroup var images: BatchOption

  @Option(help: "inference or training.")
  var mode: NetworkMode = .inference

  @OptionGroup var precision: NumericsOption

  @OptionGroup var saved: ChoicesOption

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @OptionGroup(title: "Output") var output: OutputOptions

  func run() throws {
    let network = try argument.source().network
    let options = try machine.programOptions(numerics: precision.numerics, choices: saved.choices())
    let program = try Program(network.graph(batch: images.batch, mode: mode), options: options)
    let workers = try machine.resolvedWorkers()
    try output.write(machine, measures: true) { writer in
      let explanation = try program.explain(workers: workers, figures: .measured(program.instructionSet))
      let subject = ExplainedNetwork(
        network: network.name, batch: images.batch, mode: mode.rawValue, isa: program.instructionSet.name,
        workers: workers)
      try writer.text(
        "\(network.name), batch \(images.batch), \(mode.rawValue), \(Format.count(workers, "worker")), \(subject.isa)")
      for node in explanation.nodes { try writer.write(ExplainedNode(subject: subject, node: node)) }
      try writer.write(ExplanationSummary(subject: subject, explanation), text: explanation.text)
    }
  }
}

/// What was explained.
private struct ExplainedNetwork: Encodable {
  let network: String
  let batch: Int
  let mode: String
  let isa: String
  let workers: Int
}

/// One node; the fields are those of ``Explanation/Node``.
private struct ExplainedNode: Record {
  static let recordName = "explained_node"
  let subject: ExplainedNetwork
  let node: Explanation.Node

  func encode(to encoder: any Encoder) throws {
    try subject.encode(to: encoder)
    try node.encode(to: encoder)
  }
}

/// The whole run.
private struct ExplanationSummary: Record {
  static let recordName = "explanation"
  let subject: ExplainedNetwork
  let predictedMs: Double
  let predictedEfficiency: Double
  let flops: Double
  let plannedBytes: Int
  let arenaBytes: Int
  /// What the prediction is made of.
  let figures: MachineFigures

  init(subject: ExplainedNetwork, _ explanation: Explanation) {
    self.subject = subject
    predictedMs = explanation.predictedSeconds * 1e3
    predictedEfficiency = explanation.predictedEfficiency
    flops = explanation.nodes.reduce(0) { $0 + $1.flops }
    (plannedBytes, arenaBytes) = (explanation.memory.byteCount, explanation.memory.arenaByteCount)
    figures = explanation.figures
  }

  enum CodingKeys: String, CodingKey {
    case flops, figures
    case predictedMs = "predicted_ms"
    case predictedEfficiency = "predicted_efficiency"
    case plannedBytes = "planned_bytes"
    case arenaBytes = "arena_bytes"
  }

  func encode(to encoder: any Encoder) throws {
    try subject.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(predictedMs, forKey: .predictedMs)
    try container.encode(predictedEfficiency, forKey: .predictedEfficiency)
    try container.encode(flops, forKey: .flops)
    try container.encode(plannedBytes, forKey: .plannedBytes)
    try container.encode(arenaBytes, forKey: .arenaBytes)
    try container.encode(figures, forKey: .figures)
  }
}
