import ArgumentParser
import Tessera

struct TraceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace", abstract: "Writes who computed what in one run, and when.",
    discussion: """
      The file is in Chrome's trace format, for chrome://tracing and https://ui.perfetto.dev: a row a worker, with a slice for \
      what it computes of a node in one go and in it one for each task. The run is the third, in a scope whose workers stay \
      awake.
      """
        + "\n\n" + examples("trace mnist_cnn --batch 64 --out trace.json"))

  @OptionGroup var argument: NetworkArgument

  @OptionGroup var images: BatchOption

  @Option(help: "inference or training.")
  var mode: NetworkMode = .inference

  @Option(help: ArgumentHelp("The file to write.", valueName: "file"))
  var out: String

  @OptionGroup var random: SeedOption

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @OptionGroup(title: "Output") var output: FormatOptions

  func run() throws {
    try OutputFile.checkWritable(out)
    let source = try argument.source()
    let options = try machine.programOptions()
    try output.write(machine, measures: true) { writer in
      let benchmark = try NetworkBenchmark(
        source, batch: images.batch, mode: mode, seed: random.seed, workers: machine.resolvedWorkers(),
        options: options)
      let trace = try benchmark.trace()
      try trace.write(to: out)
      let end = trace.tasks.reduce(0) { max($0, $1.start + $1.seconds) }
      try writer.text(
        "\(source.name), batch \(images.batch), \(mode.rawValue): \(Format.milliseconds(end)) ms, \(trace.tasks.count) tasks"
      )
      var table = TextTable(header: ["worker", "tasks", "busy ms", "%"])
      for worker in 0..<trace.workers {
        let own = trace.tasks.filter { $0.worker == worker }
        let result = TracedWorker(
          network: source.name, batch: images.batch, mode: mode.rawValue, worker: worker, tasks: own.count,
          busyMs: own.reduce(0) { $0 + $1.seconds } * 1e3, runMs: end * 1e3)
        try writer.write(result)
        table.add([
          "\(worker)", "\(own.count)", Format.milliseconds(result.busyMs * 1e-3),
          Format.fixed(end > 0 ? 100 * result.busyMs / result.runMs : 0, 1),
        ])
      }
      try writer.text(table.text)
    }
  }
}

/// How much of a run a worker computed.
private struct TracedWorker: Record {
  static let recordName = "traced_worker"

  let network: String
  let batch: Int
  let mode: String
  let worker: Int
  let tasks: Int
  let busyMs: Double
  let runMs: Double

  enum CodingKeys: String, CodingKey {
    case network, batch, mode, worker, tasks
    case busyMs = "busy_ms"
    case runMs = "run_ms"
  }
}
