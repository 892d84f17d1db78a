import ArgumentParser
import Tessera
import TesseraKernels

/// Workers and instruction set, which overrule the environment.
struct MachineOptions: ParsableArguments {
  @Option(help: "Number of workers (default: TESSERA_WORKERS, or one a usable core).")
  var workers: Int?

  @OptionGroup var instructionSet: InstructionSetOption

  /// What was asked for; nil: nothing.
  var isa: String? { instructionSet.isa }

  init() {}

  /// Of a command that takes numbers of workers by an option of its own.
  init(workers: Int, _ instructionSet: InstructionSetOption) {
    self.workers = workers
    self.instructionSet = instructionSet
  }

  func validate() throws {
    if let workers, !(1...Session.maximumWorkers).contains(workers) {
      throw ValidationError("--workers: expected 1 to \(Session.maximumWorkers), found \(workers)")
    }
  }

  func resolvedWorkers() throws(TesseraError) -> Int {
    if let workers { return workers }
    return try EnvironmentSettings.workerCount()
  }

  func resolvedInstructionSet() throws(TesseraError) -> InstructionSet {
    try instructionSet.resolved()
  }

  func programOptions(
    numerics: Numerics = .fast, algorithm: ConvolutionAlgorithm? = nil, choices: KernelChoices? = nil
  ) throws(TesseraError) -> Program.Options {
    Program.Options(
      instructionSet: try resolvedInstructionSet(), numerics: numerics, algorithm: algorithm, choices: choices)
  }
}
