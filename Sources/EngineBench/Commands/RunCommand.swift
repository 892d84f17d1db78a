import ArgumentParser
import Tessera
import TesseraData
import TesseraKernels
import TesseraNetworks

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
    let run = try TrainingRun(
      network, train: Datasets.digits(.train), test: Datasets.digits(.test),
      settings: TrainingRun.Settings(
        epochs: 12, batch: 64, seed: 0, learningRate: 0.05, workers: workers, options: options))
    printLine("\ntraining \(network.name) on \(run.trainingImageCount) real 8x8 digits")
    try TrainingReport.train(run)

    let batch = 256
    let table = try LayerTable.measured(
      network, batch: batch, steps: 30, workers: workers, options: options)
    printLine("\ntraining steps of \(batch) images, mean of 30; operations are the direct algorithm's")
    printLine("(more than Winograd needs, or than there are without padding: hence above 100 %)")
    printLine(table.text(peak: peak.gflops))
  }
}
