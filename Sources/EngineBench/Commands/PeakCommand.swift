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
      empty_run: a run of a program with nothing to compute. fork_join: a run that wakes all workers, gives each a task with \
      nothing to do, and waits for all; the median. fork_join.awake: the same in a burst of runs, whose workers spin. empty_node: \
      a node of such a run, with a task for each worker; the next waits for all of them, as at a barrier.
      """
        + "\n\n" + examples("peak", "peak --isa avx2 --workers 1"))

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @OptionGroup(title: "Output") var output: OutputOptions

  func run() throws {
    let instructionSet = try machine.resolvedInstructionSet()
    let workers = try machine.resolvedWorkers()
    let sets = machine.isa == nil ? KernelCatalogue.supported : [instructionSet]
    try output.write(machine, measures: true) { writer in
      let figures = try PeakFigure.measured(
        sets, bandwidthOf: instructionSet, teams: workers == 1 ? [1] : [1, workers])
      for figure in figures { try writer.write(figure) }
      try writer.text(PeakFigure.text(figures))
    }
  }
}
