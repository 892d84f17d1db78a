import ArgumentParser
import Tessera
import TesseraNetworks

struct TraceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace", abstract: "Writes who computed what in one run, and when.",
    discussion: """
      The file is in Chrome's trace format, for chrome://tracing and https://ui.perfetto.dev: a row a worker, with a slice for \
      what it computes of a node in one go and in it one for each task. The run is the third, in a scope whose workers stay \
      awake.
      """)

  @Argument(help: "The network's name.")
  var network: String

  @Option(help: "Images a batch.")
  var batch = 16

  @Option(help: "inference or training.")
  var mode: NetworkMode = .inference

  @Option(help: ArgumentHelp("The file to write.", valueName: "file"))
  var out: String

  @OptionGroup var machine: MachineOptions

  func validate() throws {
    guard (1...1 << 20).contains(batch) else {
      throw ValidationError("--batch: expected 1 to \(1 << 20), found \(batch)")
    }
    do throws(TesseraError) {
      _ = try NetworkCatalogue.network(named: network)
    } catch {
      throw ValidationError("\(error)")
    }
  }

  func run() throws {
    let benchmark = try NetworkBenchmark(
      NetworkCatalogue.network(named: network), batch: batch, mode: mode, seed: 0, workers: machine.resolvedWorkers(),
      options: machine.programOptions())
    let trace = try benchmark.trace()
    try trace.write(to: out)
    let end = trace.tasks.reduce(0) { max($0, $1.start + $1.seconds) }
    printLine(
      "\(network), batch \(batch), \(mode.rawValue): \(Format.milliseconds(end)) ms, \(trace.tasks.count) tasks")
    var table = TextTable(header: ["worker", "tasks", "busy ms", "%"])
    for worker in 0..<trace.workers {
      let own = trace.tasks.filter { $0.worker == worker }
      let busy = own.reduce(0) { $0 + $1.seconds }
      table.add([
        "\(worker)", "\(own.count)", Format.milliseconds(busy), Format.fixed(end > 0 ? 100 * busy / end : 0, 1),
      ])
    }
    printLine(table.text)
  }
}
