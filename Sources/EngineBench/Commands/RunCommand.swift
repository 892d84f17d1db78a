import ArgumentParser
import Tessera
import TesseraData
import TesseraKernels
import TesseraNetworks
import TesseraTraining

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "The main job: topology, peaks, training on the built-in digits, time of each layer.",
    discussion: examples("", "--workers 8"))

  @OptionGroup var saved: ChoicesOption

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @OptionGroup var random: SeedOption

  @OptionGroup(title: "Output") var output: OutputOptions

  func run() throws {
    let choice = try WorkerChoice(asked: machine.workers, on: .current, countsHardwareThreads: false)
    let workers = choice.workers
    let instructionSet = try machine.resolvedInstructionSet()
    let options = try machine.programOptions(choices: saved.choices())
    try output.write(machine, measures: true) { writer in
      try writer.text(TopologyReport.text(.current, choice, instructionSet: instructionSet))
      let peak = PeakMeasurement(instructionSet: instructionSet, workers: workers)
      let figures = PeakFigure.figures(of: peak)
      try writer.write(figures.multiplyAdd, text: "multiply-add     \(Format.fixed(peak.gflops, 1)) GFLOP/s")
      try writer.write(figures.read, text: "memory read      \(Format.fixed(peak.readGigabytesPerSecond, 1)) GB/s")

      let network = try NetworkCatalogue.network(named: Datasets.digits.defaultNetwork)
      try train(network, workers: workers, options: options, writer)

      let batch = 256
      let table = try LayerTable.measured(
        network, batch: batch, steps: 30, workers: workers, options: options)
      try writer.text("\ntraining steps of \(batch) images, mean of 30; operations are the direct algorithm's")
      try writer.text("(more than Winograd needs, or than there are without padding: hence above 100 %)")
      for record in table.records(peak: peak.gflops) { try writer.write(record) }
      try writer.text(table.text(peak: peak.gflops))
      try writer.text(Self.next)
    }
  }

  private func train(_ network: Network, workers: Int, options: Program.Options, _ writer: ResultWriter)
    throws(TesseraError)
  {
    let train = try Datasets.digits(.train)
    var settings = TrainingSettings()
    (settings.epochs, settings.seed) = (12, random.seed)
    settings.optimizer = .sgd(momentum: 0.9, weightDecay: 1e-4)
    let steps = settings.stepsPerEpoch(train)
    settings.schedule = .cosine(0.05, steps: steps * settings.epochs, warmUpSteps: steps)
    settings.workers = workers
    settings.options = options
    let loop = try TrainingLoop(
      network.model, store: ParameterStore(seed: random.seed), train: train, settings: settings)
    try writer.text("\ntraining \(network.name) on \(train.count) real 8x8 digits")
    try TrainingReport.train(loop, epochs: settings.epochs, test: Datasets.digits(.test), writer)
  }

  /// Where to look next.
  private static let next = """

    Where to look next:
      engine-bench peak                        all peaks: sets, caches, memory
      engine-bench layers --pass all           convolutions in % of this peak
      engine-bench network resnet50 --profile  a network, its latency, each kernel
      engine-bench help                        all commands, and their options
    """
}
