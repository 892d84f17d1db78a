import ArgumentParser
import Tessera
import TesseraKernels
import TesseraRuntime

struct ScalingCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scaling",
    abstract: "How much faster a network gets with more workers, and whether it stays the same.",
    discussion: """
      Strong scaling: one batch for all numbers of workers. Weak scaling: so many images for each worker. Efficiency is the \
      gain in images a second over the fewest workers, by that in workers. All are measured in turn, a window each, so that \
      what disturbs the machine disturbs all; ms is the best window's mean. Beside it stands what a simulation predicts from \
      the peak and the bandwidths of a core, measured first. Checksums, of the outputs or of all parameters after three \
      steps, have to be the same bits for all numbers of workers: the command exits with 1 if they aren't. More workers than \
      cores are slower, and still have to agree.
      """
        + "\n\n" + examples("scaling resnet50 --batch 16 --workers all --mode training"))

  @OptionGroup var argument: NetworkArgument

  @Option(
    help: ArgumentHelp(
      "Increasing numbers, as in 1,2,4; or all: powers of two up to all there are, and these.", valueName: "list"),
    transform: WorkerCounts.init(parsing:))
  var workers = WorkerCounts.all

  @Option(help: "What the numbers count: core, l3 (all cores below a last-level cache) or numa (all of a node).")
  var by: ScalingUnit = .core

  @Option(help: "Images a batch of strong scaling.")
  var batch = 16

  @Option(help: "Images for each worker of weak scaling (default: those of strong scaling with the most workers).")
  var batchPerWorker: Int?

  @Option(help: "inference or training.")
  var mode: NetworkMode = .inference

  @Option(help: "Seconds to measure each point of a curve at least, cut into five windows; at most four times as long.")
  var duration = 1.0

  @OptionGroup var instructionSet: InstructionSetOption

  @OptionGroup var precision: NumericsOption

  @OptionGroup var saved: ChoicesOption

  @OptionGroup var random: SeedOption

  @OptionGroup var repetition: RepetitionOptions

  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    try expectOption("--batch", batch, in: batchSizes)
    guard duration > 0, duration <= 86_400 else {
      throw ValidationError("--duration: expected seconds above 0, at most a day, found \(duration)")
    }
    let counts = try workers.workerCounts(by, on: .current)
    if let batchPerWorker {
      try expectOption("--batch-per-worker", batchPerWorker, in: 1...batchSizes.upperBound / (counts.last ?? 1))
    }
  }

  func run() throws {
    let source = try argument.source()
    let counts = try workers.workerCounts(by, on: .current)
    let most = counts.last ?? 1
    let machine = MachineOptions(workers: most, instructionSet)
    let options = try machine.programOptions(numerics: precision.numerics, choices: saved.choices())
    let isa = try machine.resolvedInstructionSet()
    try output.write(machine, measures: true) { writer in
      let repetition = repetition.repetition(
        window: duration / 5, limit: 4 * duration * Double(2 * counts.count))
      var progress = writer.progress(
        "scaling", of: 2 * counts.count * (1 + repetition.minimumWindows))
      let benchmark = try ScalingBenchmark(
        source, mode: mode, counts: counts, batch: batch, batchPerWorker: batchPerWorker ?? max(1, batch / most),
        seed: random.seed, options: options, figures: .measured(isa)
      ) { progress.begin("compiling: \($0)") }
      let results = try benchmark.measure(repetition) { rounds in
        if rounds < repetition.minimumWindows { progress.begin("round \(rounds + 1)") }
      }
      progress.end()
      try writer.text("\(source.name), \(mode.rawValue), \(isa)")
      for kind in ScalingBenchmark.Kind.allCases {
        try writer.text("\n\(kind.rawValue) scaling\n" + ScalingTable.text(results, kind))
        for result in results where result.kind == kind.rawValue { try writer.write(result) }
      }
      guard benchmark.agrees else {
        try writer.text("\nchecksums differ: results depend on the number of workers")
        for result in results where !result.isSame {
          try writer.text("\(result.workers) workers, batch \(result.batch): \(result.checksum)")
        }
        throw ExitStatus.checkFailed.exitCode
      }
      try writer.text("\nchecksums agree bit for bit: \(counts.map(String.init).joined(separator: ", ")) workers")
    }
  }
}

/// Numbers of cores, caches or nodes.
enum WorkerCounts {
  /// Powers of two up to all there are, and these.
  case all
  case list([Int])

  /// - Throws: `ValidationError` for what isn't a list of increasing numbers from 1.
  init(parsing text: String) throws {
    if text == "all" {
      self = .all
      return
    }
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    let counts = numbers.compactMap { $0 }
    guard counts.count == numbers.count, counts.allSatisfy({ (1...Session.maximumWorkers).contains($0) }),
      zip(counts, counts.dropFirst()).allSatisfy({ $0 < $1 })
    else {
      throw ValidationError(
        "--workers: expected increasing numbers from 1 to \(Session.maximumWorkers) as in 1,2,4, or all, "
          + "found \"\(text)\"")
    }
    self = .list(counts)
  }

  /// The workers that they stand for.
  /// - Throws: `ValidationError` for more caches or nodes than there are; of cores there may be more.
  func workerCounts(_ unit: ScalingUnit, on machine: Machine) throws -> [Int] {
    let ends = unit.workerCounts(on: machine)
    switch self {
    case .all:
      // As many workers as sessions take, which a quota may limit.
      let most = machine.defaultWorkerCount
      let last = max(1, ends.prefix { $0 <= most }.count)
      let units = sequence(first: 1) { $0 * 2 }.prefix { $0 < last } + [last]
      return units.map { ends[$0 - 1] }
    case .list(let units):
      guard unit != .core else { return units }
      guard units.allSatisfy({ $0 <= ends.count }) else {
        throw ValidationError(
          "--workers: expected at most \(ends.count) with --by \(unit.rawValue) on this machine, "
            + "found \(units.last ?? 0)")
      }
      return units.map { ends[$0 - 1] }
    }
  }
}
