import ArgumentParser
import Logging

@main
struct EngineBench: ParsableCommand {
  /// Of the package, as CHANGELOG.md counts.
  static let version = "0.1.0-dev"

  static let configuration = CommandConfiguration(
    commandName: "engine-bench",
    abstract: "What this machine can do with convolutional networks, and where the time goes.",
    version: version,
    subcommands: [
      RunCommand.self, VerifyCommand.self, TopologyCommand.self, PeakCommand.self, LayersCommand.self,
      OperationsCommand.self, NetworkCommand.self, ScalingCommand.self, ServeLoadCommand.self, ExplainCommand.self,
      MemoryCommand.self, TraceCommand.self, TuneCommand.self, TrainCommand.self, CompareCommand.self,
      ReportCommand.self, ConformanceCommand.self, ExportCommand.self,
    ],
    defaultSubcommand: RunCommand.self)

  static func main() {
    // Figures go to standard output, and may be piped; what went wrong goes to standard error.
    let isQuiet = CommandLine.arguments.contains("--quiet")
    LoggingSystem.bootstrap { label in
      var handler = StreamLogHandler.standardError(label: label)
      if isQuiet { handler.logLevel = .error }
      return handler
    }
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      ExitStatus.exit(with: error)
    }
  }
}
