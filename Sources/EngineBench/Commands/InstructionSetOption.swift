import ArgumentParser
import Tessera
import TesseraKernels

/// The instruction set, which overrules the environment.
struct InstructionSetOption: ParsableArguments {
  @Option(
    help: "Instruction set: baseline, avx2 or avx512 (default: TESSERA_ISA, or the best there is).")
  var isa: String?

  func validate() throws {
    guard let isa else { return }
    do throws(TesseraError) {
      _ = try EnvironmentSettings.instructionSet(named: isa, source: "--isa")
    } catch {
      throw ValidationError("\(error)")
    }
  }

  func resolved() throws(TesseraError) -> InstructionSet {
    if let isa { return try EnvironmentSettings.instructionSet(named: isa, source: "--isa") }
    return try EnvironmentSettings.instructionSet()
  }
}
