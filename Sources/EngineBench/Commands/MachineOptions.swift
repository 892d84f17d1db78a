import ArgumentParser
import Tessera
import TesseraKernels

/// Workers and instruction set, which overrule the environment.
struct MachineOptions: ParsableArguments {
  @Option(help: "Number of workers (default: TESSERA_WORKERS, or one a usable core).")
  var workers: Int?

  @Option(
    help: "Instruction set: baseline, avx2 or avx512 (default: TESSERA_ISA, or the best there is).")
  var isa: String?

  func validate() throws {
    if let workers, !(1...Session.maximumWorkers).contains(workers) {
      throw ValidationError("--workers: expected 1 to \(Session.maximumWorkers), found \(workers)")
    }
    if let isa {
      do throws(TesseraError) {
        _ = try EnvironmentSettings.instructionSet(named: isa, source: "--isa")
      } catch {
        throw ValidationError("\(error)")
      }
    }
  }

  func resolvedWorkers() throws(TesseraError) -> Int {
    if let workers { return workers }
    return try EnvironmentSettings.workerCount()
  }

  func resolvedInstructionSet() throws(TesseraError) -> InstructionSet {
    if let isa { return try EnvironmentSettings.instructionSet(named: isa, source: "--isa") }
    return try EnvironmentSettings.instructionSet()
  }

  func programOptions(
    numerics: Numerics = .fast, algorithm: ConvolutionAlgorithm? = nil, choices: KernelChoices? = nil
  ) throws(TesseraError) -> Program.Options {
    Program.Options(
      instructionSet: try resolvedInstructionSet(), numerics: numerics, algorithm: algorithm, choices: choices)
  }
}
