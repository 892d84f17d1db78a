public import TesseraGraph
public import TesseraKernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Which instruction set and how many workers are used where the caller doesn't say: the environment, then the machine.
public enum EnvironmentSettings {
  /// The instruction set named in `TESSERA_ISA`, or the best that the processor has.
  /// - Throws: ``TesseraError/Code/unsupported`` if the variable names one that doesn't exist or that the processor
  ///   lacks.
  public static func instructionSet() throws(TesseraError) -> InstructionSet {
    guard let name = variable("TESSERA_ISA") else { return KernelCatalogue.best }
    return try instructionSet(named: name, source: "TESSERA_ISA")
  }

  /// - Throws: ``TesseraError/Code/unsupported``, as above.
  public static func instructionSet(named name: String, source: String) throws(TesseraError)
    -> InstructionSet
  {
    let offered = KernelCatalogue.supported.map(\.name).joined(separator: ", ")
    guard let instructionSet = KernelCatalogue.instructionSet(named: name) else {
      throw TesseraError(
        .unsupported, at: source, expected: "one of \(offered)", found: "\"\(name)\"")
    }
    guard KernelCatalogue.supported.contains(instructionSet) else {
      throw TesseraError(
        .unsupported, at: source, expected: "an instruction set of this processor (\(offered))",
        found: name)
    }
    return instructionSet
  }

  /// Whether `TESSERA_SMT` is 1: each hardware thread then counts as a core.
  static var usesHardwareThreads: Bool { variable("TESSERA_SMT") == "1" }

  /// The number in `TESSERA_WORKERS`, or one worker a usable core as far as the quota of the control group allows.
  /// - Throws: ``TesseraError/Code/invalidAttribute`` if the variable holds no number of 1 or more, or `TESSERA_SMT`
  ///   neither 0 nor 1.
  public static func workerCount() throws(TesseraError) -> Int {
    if let text = variable("TESSERA_SMT"), text != "0", text != "1" {
      throw TesseraError(.invalidAttribute, at: "TESSERA_SMT", expected: "0 or 1", found: "\"\(text)\"")
    }
    guard let text = variable("TESSERA_WORKERS") else { return Machine.current.defaultWorkerCount }
    guard let count = Int(text), count >= 1, count <= Session.maximumWorkers else {
      throw TesseraError(
        .invalidAttribute, at: "TESSERA_WORKERS",
        expected: "a number from 1 to \(Session.maximumWorkers)", found: "\"\(text)\"")
    }
    return count
  }

  /// Whether runs of any size take all workers (`TESSERA_SMALL_RUNS=shared`): so that tests, whose problems are small, see
  /// what many workers do.
  static let sharesSmallRuns = variable("TESSERA_SMALL_RUNS") == "shared"

  private static func variable(_ name: String) -> String? {
    guard let text = getenv(name) else { return nil }
    let string = String(cString: text)
    return string.isEmpty ? nil : string
  }
}
