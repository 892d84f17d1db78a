import ArgumentParser
import Tessera

/// How results are printed, for commands whose `--out` names something else that they make.
struct FormatOptions: ParsableArguments {
  @Option(
    help: "text, json (JSON Lines, the environment first) or csv (default: text, or what the name of --out ends in).")
  var format: OutputFormat?

  @Flag(help: "No progress, warnings and notes on standard error.")
  var quiet = false

  /// Runs a command that prints results: the environment first, and at the end how noisy it was.
  /// - Parameters:
  ///   - machine: what it asks for; nil where nothing runs.
  ///   - path: a file to print to.
  ///   - measures: whether results are times.
  /// - Throws: what `body` throws, and ``TesseraError/Code/unwritableOutput``, before `body` is called.
  func write(_ machine: MachineOptions?, to path: String? = nil, measures: Bool, _ body: (ResultWriter) throws -> Void)
    throws
  {
    let workers = try machine?.resolvedWorkers() ?? EnvironmentSettings.workerCount()
    let instructionSet = try machine?.resolvedInstructionSet() ?? EnvironmentSettings.instructionSet()
    let format = format ?? path.flatMap(OutputFormat.init(fileName:)) ?? .text
    let writer = try ResultWriter(format: format, to: path, isQuiet: quiet)
    let noise = measures ? NoiseMonitor(workers: workers) : nil
    for warning in noise?.warnings ?? [] { writer.note("warning: \(warning)") }
    try writer.run {
      if format != .text {
        try writer.write(
          EnvironmentRecord(workers: workers, instructionSet: instructionSet, warnings: noise?.warnings ?? []))
      }
      try body(writer)
      if let record = noise?.record() {
        for warning in record.warnings { writer.note("warning: \(warning)") }
        try writer.write(record)
      }
    }
  }
}

/// How results are printed, and where.
struct OutputOptions: ParsableArguments {
  @OptionGroup var formatting: FormatOptions

  @Option(
    help: ArgumentHelp(
      "Print to this file, which appears when all is in it (default: standard output).", valueName: "file"))
  var out: String?

  /// As ``FormatOptions/write(_:to:measures:_:)``, to the file that was named.
  func write(_ machine: MachineOptions?, measures: Bool, _ body: (ResultWriter) throws -> Void) throws {
    try formatting.write(machine, to: out, measures: measures, body)
  }
}

/// Where random numbers begin.
struct SeedOption: ParsableArguments {
  @Option(help: "Seed of all random weights and data.")
  var seed: UInt64 = 0
}
