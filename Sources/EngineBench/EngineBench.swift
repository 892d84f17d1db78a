import ArgumentParser
import Logging

@main
struct EngineBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "engine-bench",
    abstract: "What this machine can do with convolutional networks, and where the time goes.",
    subcommands: [
      RunCommand.self, TopologyCommand.self, TrainCommand.self, LayersCommand.self, OperationsCommand.self,
      NetworkCommand.self, MemoryCommand.self, TraceCommand.self, TuneCommand.self, PeakCommand.self,
      ConformanceCommand.self, ExportCommand.self,
    ],
    defaultSubcommand: RunCommand.self)

  static func main() {
    // Figures go to standard output, and may be piped; what went wrong goes to standard error.
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    Self.main(nil)
  }
}
