import Foundation
import Testing

/// What the built command printed, and how it ended.
struct CommandResult {
  let status: Int32
  let output: String
  let errors: String

  var lines: [Substring] { output.split(separator: "\n") }

  /// Each line as a JSON object.
  func objects() throws -> [[String: Any]] {
    try lines.map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }
}

/// Runs `engine-bench`, which the build puts beside the tests.
func engineBench(_ arguments: String..., environment: [String: String] = [:]) throws -> CommandResult {
  let tests = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
  let process = Process()
  process.executableURL = tests.deletingLastPathComponent().appendingPathComponent("engine-bench")
  process.arguments = arguments
  var inherited = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("TESSERA_") }
  inherited.merge(environment) { $1 }
  process.environment = inherited
  let (output, errors) = (Pipe(), Pipe())
  process.standardOutput = output
  process.standardError = errors
  try process.run()
  // Output here is smaller than a pipe's buffer, except for the first one's, which is read first.
  let text = output.fileHandleForReading.readDataToEndOfFile()
  let errorText = errors.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return CommandResult(
    status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
    errors: String(decoding: errorText, as: UTF8.self))
}

/// Calls the body with the path of a file of this text that is gone afterwards.
func withFile(_ text: String, _ body: (String) throws -> Void) throws {
  let file = FileManager.default.temporaryDirectory
    .appendingPathComponent("engine-bench-\(UUID().uuidString).csv")
  try Data(text.utf8).write(to: file)
  defer { try? FileManager.default.removeItem(at: file) }
  try body(file.path)
}
