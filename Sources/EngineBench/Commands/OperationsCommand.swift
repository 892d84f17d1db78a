import ArgumentParser
import Tessera
import TesseraKernels

struct OperationsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "operations", abstract: "Times the operators that memory holds up, and compares them with its speed.",
    discussion: """
      best_ms is the best of at least five window means, median_ms is over single runs, both from the moment on when all workers are \
      there. MB is what must move: each tensor once, one that is needed before and after a sum over all of it twice (batch \
      normalization); a write counts once, though a store reads its line first unless it goes past the caches. Percentages refer \
      to the fastest loop with the nearest share of writes (read, triad, copy or fill, see `peak`) on operands at the same level \
      of memory, measured in the same run. Weights of dense layers were prepared before.
      """
        + "\n\n" + examples("operations --operator max_pool", "operations --size cache --format csv"))

  @Option(help: "Only operators whose name begins so.")
  var `operator` = ""

  @Option(help: "cache: 256 KiB a worker; memory: four times the last cache, 192 MiB at least; or all.")
  var size: OperandSize = .all

  @Option(help: "Seconds to measure each operator at least, cut into five windows; at most four times as long.")
  var duration = 0.25

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @OptionGroup var repetition: RepetitionOptions

  @OptionGroup var random: SeedOption

  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    guard duration > 0, duration <= 86_400 else {
      throw ValidationError("--duration: expected seconds above 0, at most a day, found \(duration)")
    }
    guard try !problems(workers: 1).isEmpty else {
      let names = try OperationProblem.all(bytes: 1 << 18).map { $0.name.prefix { $0 != "." } }
      throw ValidationError(
        "--operator: expected the beginning of one of \(Set(names).sorted().joined(separator: ", ")), "
          + "dense..., found \"\(self.operator)\"")
    }
  }

  func run() throws {
    let workers = try machine.resolvedWorkers()
    let options = try machine.programOptions()
    let problems = try problems(workers: workers)
    let instructionSet = try machine.resolvedInstructionSet()
    let memory = try OperandMemory(for: problems, seed: random.seed)
    try output.write(machine, measures: true) { writer in
      guard var bandwidths = Bandwidths(instructionSet: instructionSet, workers: workers) else { return }
      var progress = writer.progress("operators", of: problems.count)
      try writer.text(OperationLine.header)
      for problem in problems {
        progress.begin("\(problem.name), \(problem.pass)")
        let result = try OperationBenchmark(problem, memory, workers: workers, options: options)
          .measure(repetition.repetition(window: duration / 5, limit: 4 * duration), &bandwidths)
        try writer.write(result, text: OperationLine.text(result))
        try Interruption.check()
      }
    }
  }

  private func problems(workers: Int) throws(TesseraError) -> [OperationProblem] {
    var problems: [OperationProblem] = []
    if size != .memory { problems += try OperationProblem.all(bytes: workers << 18) }
    if size != .cache {
      problems += try OperationProblem.all(bytes: max(192 << 20, 4 * Machine.current.caches.level3Bytes))
    }
    return (problems + (try OperationProblem.dense())).filter { $0.name.hasPrefix(self.operator) }
  }
}

/// Where the operands of `operations` lie.
enum OperandSize: String, ExpressibleByArgument, CaseIterable {
  case cache, memory, all
}

/// One result in at most 80 columns; the kernel's name goes to JSON only.
private enum OperationLine {
  static let header = line("operator", "pass", "best ms", "median", "MB", "GB/s", "of", "%")

  static func text(_ result: OperationResult) -> String {
    line(
      result.name, result.pass, Format.milliseconds(result.bestMs * 1e-3),
      Format.milliseconds(result.medianMs * 1e-3), Format.fixed(Double(result.bytes) * 1e-6, 1),
      Format.fixed(result.gigabytesPerSecond, 1), result.reference, Format.fixed(result.percentOfBandwidth, 0))
  }

  private static func line(
    _ name: String, _ pass: String, _ best: String, _ median: String, _ megabytes: String, _ rate: String,
    _ reference: String, _ percent: String
  ) -> String {
    func left(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(0, width - text.count))
    }
    func right(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(1, width - text.count)) + text
    }
    let shortReference = reference.replacing("memory", with: "mem").replacing("stream", with: "nt")
    let shortPass = ["forward": "fwd", "backward": "bwd", "training": "train", "inference": "infer"][pass] ?? pass
    return left(String(name.prefix(25)), 26) + left(shortPass, 7) + right(best, 7) + right(median, 7)
      + right(megabytes, 7) + right(rate, 7) + "  " + left(shortReference, 12) + right(percent, 4)
  }
}
