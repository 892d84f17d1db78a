import ArgumentParser
import Tessera

struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "What got faster or slower from one result to another.",
    discussion: """
      OLD and NEW are what other commands printed with --format json. Records of the same thing are matched: layers, \
      operators, networks and their nodes, peaks, scaling, served load. A difference counts if it is more than the spreads \
      of both measurements together. With --fail-over the exit code is 1 if anything got slower beyond the noise, and by \
      more than that.
      """
        + "\n\n" + examples("compare before.json after.json", "compare before.json after.json --fail-over 5%"))

  @Argument(help: ArgumentHelp("Results from before.", valueName: "old"), completion: .file())
  var old: String

  @Argument(help: ArgumentHelp("Results from after.", valueName: "new"), completion: .file())
  var new: String

  @Option(
    help: ArgumentHelp(
      "Fail if something takes so much longer, and longer than the noise explains.", valueName: "percent"))
  var failOver: Percentage?

  @Flag(help: "List what stayed the same, too; json and csv do.")
  var all = false

  @OptionGroup(title: "Output") var output: OutputOptions

  func run() throws {
    let comparison = Comparison(try ResultFile(path: old), try ResultFile(path: new))
    guard !comparison.pairs.isEmpty else {
      throw TesseraError(.invalidFile, at: new, expected: "a measurement that \(old) has, too", found: "none")
    }
    try output.write(nil, measures: false) { writer in
      for pair in comparison.pairs { try writer.write(ComparisonReport.PairRecord(pair)) }
      for summary in comparison.summaries { try writer.write(ComparisonReport.SummaryRecord(summary)) }
      try writer.text(ComparisonReport.text(comparison, all: all))
      guard let failOver else { return }
      let failed = comparison.pairs.filter { $0.verdict == .slower && $0.change > failOver.fraction }
      try writer.text("\n\(failed.count) slower by more than \(failOver)")
      if !failed.isEmpty { throw ExitStatus.checkFailed.exitCode }
    }
  }
}
