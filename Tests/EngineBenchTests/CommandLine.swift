import Foundation
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// What the built command printed, and how it ended.
struct CommandResult {
  let status: Int32
  let output: String
  let errors: String

  var lines: [Substring] { output.split(separator: "\n") }

  /// Each line as a JSON object, the environment first.
  func objects() throws -> [[String: Any]] {
    let objects = try lines.map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(objects.first?["record"] as? String == "environment", "\(output)")
    #expect(objects.allSatisfy { $0["schema_version"] as? Int == 1 })
    return objects
  }

  /// The objects of one kind, of which there is at least one.
  func records(_ name: String) throws -> [[String: Any]] {
    let records = try objects().filter { $0["record"] as? String == name }
    try #require(!records.isEmpty, "\(name) in \(output)")
    return records
  }
}

/// Runs `engine-bench`, which the build puts beside the tests.
/// - Parameter wrapper: a command that runs the one given by its last arguments, as taskset does.
func engineBench(_ arguments: String..., environment: [String: String] = [:], under wrapper: [String] = []) throws
  -> CommandResult
{
  try engineBench(arguments: arguments, environment: environment, under: wrapper)
}

/// The same with the arguments as a list.
func engineBench(arguments: [String], environment: [String: String] = [:], under wrapper: [String] = []) throws
  -> CommandResult
{
  let tests = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
  let process = Process()
  let command = wrapper + [tests.deletingLastPathComponent().appendingPathComponent("engine-bench").path] + arguments
  process.executableURL = URL(fileURLWithPath: command[0])
  process.arguments = Array(command.dropFirst())
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

/// Starts `engine-bench`, which prints nothing that anybody reads, or results into a pipe.
func startEngineBench(_ arguments: [String], output: Pipe? = nil) throws -> Process {
  let tests = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
  let process = Process()
  process.executableURL = tests.deletingLastPathComponent().appendingPathComponent("engine-bench")
  process.arguments = arguments
  process.standardOutput = output ?? FileHandle.nullDevice
  process.standardError = FileHandle.nullDevice
  try process.run()
  return process
}

/// Calls the body with the path of a file of this text that is gone afterwards.
func withFile(_ text: String, _ body: (String) throws -> Void) throws {
  let file = FileManager.default.temporaryDirectory
    .appendingPathComponent("engine-bench-\(UUID().uuidString).csv")
  try Data(text.utf8).write(to: file)
  defer { try? FileManager.default.removeItem(at: file) }
  try body(file.path)
}

#if os(Linux)
  /// What the command writes to a terminal: a pseudo-terminal is its standard output and its standard error.
  func engineBenchOnTerminal(_ arguments: String...) throws -> String {
    let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    // TIOCSPTLCK and TIOCGPTN, macros that Swift doesn't import: unlocks the other side, gives its number.
    var (lock, number): (Int32, Int32) = (0, 0)
    let isReady =
      terminal >= 0 && ioctl(terminal, 0x4004_5431, &lock) == 0 && ioctl(terminal, 0x8004_5430, &number) == 0
    try #require(isReady)
    let device = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    try #require(device >= 0)
    let tests = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    let process = Process()
    process.executableURL = tests.deletingLastPathComponent().appendingPathComponent("engine-bench")
    process.arguments = arguments
    process.standardOutput = FileHandle(fileDescriptor: device, closeOnDealloc: false)
    process.standardError = FileHandle(fileDescriptor: device, closeOnDealloc: false)
    try process.run()
    // With our own copy closed, the end of the command is an error of the read.
    close(device)
    var text = Data()
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(terminal, &buffer, buffer.count)
      guard count > 0 else { break }
      text.append(contentsOf: buffer.prefix(count))
    }
    close(terminal)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return String(decoding: text, as: UTF8.self)
  }
#endif
