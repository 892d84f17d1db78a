import ArgumentParser
import Foundation
import Tessera
import TesseraKernels
import TesseraVerification

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Whether this machine computes what it should: for a server that nobody has used yet.",
    discussion: """
      Every kernel of every instruction set that the processor has, on generated problems: convolutions of odd sizes, with \
      tails, strides, dilations, padding and groups, all algorithms, forward, backward-data and backward-weights; \
      all other operations with their gradients, in programs as networks are compiled; updates of optimizers. Results are \
      compared, element by element, with plain loops in double precision; tolerances are the bound of any order of \
      summation, that of Winograd's transforms, or 2e-5 of the largest element for what isn't a sum of products. Then networks run with several numbers of workers, more \
      than there are cores too, inference and training: checksums have to be the same bits. Exits with 0 if everything \
      is right, with 1 if not.
      """
        + "\n\n" + examples("verify --quick"))

  @Flag(help: "Fewer and smaller problems: some seconds.")
  var quick = false

  @Option(help: "The part of each tolerance that errors may take.")
  var tolerance = 1.0

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @OptionGroup var random: SeedOption

  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    guard tolerance >= 0, tolerance <= 1 else {
      throw ValidationError("--tolerance: expected 0 to 1, found \(tolerance)")
    }
  }

  func run() throws {
    // Problems are small: that each worker takes part in them has to be asked for before anything else is.
    setenv("TESSERA_SMALL_RUNS", "shared", 1)
    let sets = machine.isa == nil ? KernelCatalogue.supported : [try machine.resolvedInstructionSet()]
    let workers = try machine.resolvedWorkers()
    try output.write(machine, measures: false) { writer in
      let start = ContinuousClock.now
      try writer.text(
        "\(sets.map(\.name).joined(separator: ", ")), \(Format.count(workers, "worker"))\n"
          + VerificationLine.header)
      var verification = Verification(
        extent: quick ? .short : .full, instructionSets: sets, workers: workers, share: tolerance,
        seed: random.seed)
      verification.failed = { failure in
        try writer.write(
          failure, text: "FAILED \(failure.isa), \(failure.group): \(failure.problem)\n  \(failure.found)")
      }
      var progress = writer.progress("verify", of: verification.stepCount)
      verification.progress = { progress.begin($0) }
      var verdict = Verdict()
      for check in [verification.convolutions, verification.operations, verification.determinism] {
        for result in try check() {
          verdict.add(result)
          try writer.write(result, text: VerificationLine.text(result))
        }
      }
      progress.end()
      verdict.seconds = (ContinuousClock.now - start) / .seconds(1)
      try writer.write(verdict, text: verdict.text)
      if !verdict.passed { throw ExitStatus.checkFailed.exitCode }
    }
  }
}

/// What all checks together say.
private struct Verdict: Record {
  static let recordName = "verdict"
  private(set) var problems = 0
  private(set) var elements = 0
  private(set) var failures = 0
  var seconds = 0.0

  var passed: Bool { failures == 0 }

  mutating func add(_ result: VerificationResult) {
    problems += result.problems
    elements += result.elements
    failures += result.failures
  }

  enum CodingKeys: String, CodingKey { case passed, problems, elements, failures, seconds }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(passed, forKey: .passed)
    try container.encode(problems, forKey: .problems)
    try container.encode(elements, forKey: .elements)
    try container.encode(failures, forKey: .failures)
    try container.encode(seconds, forKey: .seconds)
  }

  var text: String {
    let count = "\(Format.grouped(Double(problems))) checks, \(Format.grouped(Double(elements))) elements"
    return passed
      ? "PASSED: \(count) in \(Format.fixed(seconds, 1)) s"
      : "FAILED: \(Format.grouped(Double(failures))) of \(count): don't trust results of this machine"
  }
}

/// One group in at most 80 columns.
private enum VerificationLine {
  static let header = line("isa", "checked", "problems", "elements", "worst error", "failed")

  static func text(_ result: VerificationResult) -> String {
    line(
      result.isa, result.group, Format.grouped(Double(result.problems)),
      result.elements > 0 ? Format.grouped(Double(result.elements)) : "-",
      result.elements > 0 ? "\(Format.fixed(100 * result.worstShare, 1)) %" : "-", "\(result.failures)")
  }

  private static func line(_ isa: String, _ group: String, _ cells: String...) -> String {
    Format.left(isa, 9) + Format.left(group, 28) + zip(cells, [10, 12, 13, 8]).map { Format.right($0, $1) }.joined()
  }
}
