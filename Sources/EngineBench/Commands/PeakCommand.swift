import ArgumentParser
import Tessera
import TesseraKernels

struct PeakCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peak", abstract: "What this machine can do at best: multiply-adds, bandwidths, the start of a run.",
    discussion: """
      Each figure for one worker and for all of them together, the best of several runs. multiply_add: independent \
      multiply-adds on registers. read, triad (y = a + b / 2), copy and fill move data that fills half of a cache, or four times \
      the last one; a write counts once, though a store reads its line first unless it goes past the caches (stream). \
      empty_run: a run of a program with nothing to compute. empty_node: a node of such a run, with a task for each worker.
      """)

  @OptionGroup var machine: MachineOptions

  @Option(help: "text, json or csv.")
  var format: OutputFormat = .text

  func run() throws {
    let instructionSet = try machine.resolvedInstructionSet()
    let workers = try machine.resolvedWorkers()
    let sets = machine.isa == nil ? KernelCatalogue.supported : [instructionSet]
    let figures = try PeakFigure.measured(
      sets, bandwidthOf: instructionSet, teams: workers == 1 ? [1] : [1, workers])
    switch format {
    case .json: for figure in figures { try printJSON(figure) }
    case .csv:
      var csv = CSVPrinter()
      for figure in figures { try csv.print(figure) }
    case .text: printLine(PeakFigure.text(figures))
    }
  }
}
