import ArgumentParser
import Foundation
import Tessera

/// How the command ends. Above 63 the numbers are those of sysexits.h.
enum ExitStatus: Int32 {
  /// All went well.
  case success = 0
  /// What was checked doesn't hold: a wrong result, a checksum that differs, something slower than allowed.
  case checkFailed = 1
  /// Every test that could be run passed, but some couldn't.
  case onlyUnsupported = 3
  /// The command line: an unknown option or name, a number outside its range, sizes that don't fit each other.
  case usage = 64
  /// A file can't be read, or isn't what it should be.
  case badInput = 65
  /// A file, or what should be in it, isn't there.
  case notFound = 66
  /// Something is missing that Tessera, this machine or another program would have to have.
  case unavailable = 69
  /// Anything else: a result that isn't finite, a kernel that failed.
  case failure = 70
  /// The system refused memory.
  case systemRefused = 71
  /// The output can't be written.
  case unwritableOutput = 73
  /// Ctrl-C; what was measured until then was printed.
  case interrupted = 130
  /// The same by SIGTERM.
  case terminated = 143

  /// Of a command that ends after it has said why.
  var exitCode: ExitCode { ExitCode(rawValue) }

  init(_ error: TesseraError) {
    self =
      switch error.code {
      case .checkFailed: .checkFailed
      case .unwritableOutput: .unwritableOutput
      case .invalidFile, .invalidData: .badInput
      case .unsupported, .missingProgram: .unavailable
      case .systemFailure, .memoryLimitExceeded: .systemRefused
      case .notFound: .notFound
      case .invalidAttribute, .invalidShape, .shapeMismatch, .elementTypeMismatch, .duplicateName: .usage
      default: .failure
      }
  }

  /// Ends the process with one line on standard error.
  static func exit(with error: any Error) -> Never {
    if let error = error as? TesseraError { exit(ExitStatus(error).rawValue, saying: "\(error)") }
    let code = EngineBench.exitCode(for: error)
    // Help and completion scripts are what was asked for; a bare code was explained before.
    if code == .success || error is ExitCode { EngineBench.exit(withError: error) }
    let message = EngineBench.message(for: error).split(whereSeparator: \.isNewline).joined(separator: " ")
    guard code == .validationFailure else { exit(ExitStatus.failure.rawValue, saying: message) }
    exit(ExitStatus.usage.rawValue, saying: message)
  }

  private static func exit(_ status: Int32, saying message: String) -> Never {
    FileHandle.standardError.write(Data("Error: \(message)\n".utf8))
    Foundation.exit(status)
  }
}

extension TesseraError.Code {
  /// Results can't be written where they should go.
  static let unwritableOutput = TesseraError.Code(description: "unwritable output")
  /// Another program that is needed isn't installed.
  static let missingProgram = TesseraError.Code(description: "missing program")
  /// Something measured isn't what it must be.
  static let checkFailed = TesseraError.Code(description: "check failed")
}
