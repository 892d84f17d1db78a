import ArgumentParser
import Tessera

struct MemoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "memory", abstract: "The memory of a network: planned, and how far the process grows.",
    discussion: """
      The plan is made when the network is compiled, before anything is allocated. Then the network runs, and the growth of \
      the process's peak of resident memory is measured: from before the network is built to after the last step, parameters, \
      images and everything else included.
      """
        + "\n\n" + examples("memory resnet50 --batch 16", "memory vgg16 --mode inference --limit 2048"))

  @OptionGroup var argument: NetworkArgument

  @OptionGroup var images: BatchOption

  @Option(help: "inference or training.")
  var mode: NetworkMode = .training

  @Option(help: "How many steps run before the peak is read.")
  var steps = 3

  @Option(help: ArgumentHelp("Refuse a plan of more than so many MiB.", valueName: "MiB"))
  var limit: Int?

  @Flag(inversion: .prefixedNo, help: "Whether training computes cheap values again instead of keeping them.")
  var recomputation = true

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @OptionGroup var random: SeedOption

  @OptionGroup(title: "Output") var output: OutputOptions

  /// One line of the report.
  struct Result: Record {
    static let recordName = "memory"

    let network: String
    let batch: Int
    let mode: String
    let workers: Int
    let plannedBytes: Int
    /// Of planned memory and inputs, which the command holds.
    let expectedGrowthBytes: Int
    let peakGrowthBytes: Int

    enum CodingKeys: String, CodingKey {
      case network, batch, mode, workers
      case plannedBytes = "planned_bytes"
      case expectedGrowthBytes = "expected_growth_bytes"
      case peakGrowthBytes = "peak_growth_bytes"
    }
  }

  func validate() throws {
    try expectOption("--steps", steps, in: 1...1000)
    if let limit { try expectOption("--limit", limit, in: 1...1 << 30) }
  }

  func run() throws {
    var options = try machine.programOptions()
    options.recomputes = recomputation
    options.memoryLimit = limit.map { $0 << 20 }
    let source = try argument.source()
    try output.write(machine, measures: false) { writer in
      let before = try PeakMemory.byteCount()
      let benchmark = try NetworkBenchmark(
        source, batch: images.batch, mode: mode, seed: random.seed, workers: machine.resolvedWorkers(), options: options
      )
      for _ in 0..<steps {
        try benchmark.run()
        try Interruption.check()
      }
      let growth = try PeakMemory.byteCount() - before
      let memory = benchmark.memoryUse
      let result = Result(
        network: source.name, batch: images.batch, mode: mode.rawValue, workers: benchmark.workers,
        plannedBytes: memory.byteCount, expectedGrowthBytes: memory.byteCount + memory.inputByteCount,
        peakGrowthBytes: growth)
      try writer.write(result, text: text(result, memory, benchmark.largePages))
    }
  }

  private func text(_ result: Result, _ memory: MemoryUse, _ pages: LargePages) -> String {
    let large = pages.largeByteCount.map { TopologyReport.size($0) } ?? "unknown"
    return """
      \(result.network), batch \(result.batch), \(mode.rawValue), \(result.workers) workers
      \(MemoryReport.text(memory))

      growth expected   \(TopologyReport.size(result.expectedGrowthBytes)), planned and inputs
      growth measured   \(TopologyReport.size(result.peakGrowthBytes)) after \(steps) steps
      large pages       \(large) of \(TopologyReport.size(pages.byteCount))
      """
  }
}
