import ArgumentParser
import Tessera
import TesseraData
import TesseraKernels
import TesseraNetworks
import TesseraTraining

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "The main job: topology, peaks, training on the built-in digits, time of each layer.")

  @OptionGroup var machine: MachineOptions

  @OptionGroup var saved: ChoicesOption

  func run() throws {
    let workers = try machine.resolvedWorkers()
    let instructionSet = try machine.resolvedInstructionSet()
    let options = try machine.programOptions(choices: saved.choices())
    printLine(
      TopologyReport.text(.current, workers: workers, instructionSet: instructionSet))
    let peak = PeakMeasurement(instructionSet: instructionSet, workers: workers)
    printLine("multiply-add     \(Format.fixed(peak.gflops, 1)) GFLOP/s")
    printLine("memory read      \(Format.fixed(peak.readGigabytesPerSecond, 1)) GB/s")

    let network = try NetworkCatalogue.network(named: Datasets.digits.defaultNetwork)
    let train = try Datasets.digits(.train)
    var settings = TrainingSettings()
    settings.epochs = 12
    settings.optimizer = .sgd(momentum: 0.9, weightDecay: 1e-4)
    let steps = settings.stepsPerEpoch(train)
    settings.schedule = .cosine(0.05, steps: steps * settings.epochs, warmUpSteps: steps)
    settings.workers = workers
    settings.options = options
    let loop = try TrainingLoop(network.model, store: ParameterStore(), train: train, settings: settings)
    printLine("\ntraining \(network.name) on \(train.count) real 8x8 digits")
    try TrainingReport.train(loop, epochs: settings.epochs, test: Datasets.digits(.test))

    let batch = 256
    let table = try LayerTable.measured(
      network, batch: batch, steps: 30, workers: workers, options: options)
    printLine("\ntraining steps of \(batch) images, mean of 30; operations are the direct algorithm's")
    printLine("(more than Winograd needs, or than there are without padding: hence above 100 %)")
    printLine(table.text(peak: peak.gflops))
  }
}
