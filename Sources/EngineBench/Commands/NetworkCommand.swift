import ArgumentParser
import Tessera
import TesseraNetworks

struct NetworkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "network", abstract: "Times a whole network: inference or training steps.",
    discussion: """
      Networks: \(NetworkCatalogue.all.map { "\($0.name) (\($0.summary))" }.joined(separator: ", ")).
      best_ms is the best of at least five window means, median_ms and the other percentiles are over single calls, all in one \
      scope whose workers stay awake. With several streams as many threads run the program at once, each the next run as \
      soon as it has the one before, without a scope; images_per_second are those of all. A training step is the forward pass in training mode, the mean softmax cross-entropy on one fixed batch, \
      the backward pass and SGD with learning rate 0.0001 and momentum 0.9. The checksum is of the outputs, or of all \
      parameters after three steps.
      """
        + "\n\n"
        + examples("network resnet50 --batch 1 --profile", "network model.onnx --mode training --out after.json"))

  @OptionGroup var argument: NetworkArgument

  @OptionGroup var images: BatchOption

  @Option(help: "inference or training.")
  var mode: NetworkMode = .inference

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @OptionGroup var precision: NumericsOption

  @OptionGroup var saved: ChoicesOption

  @OptionGroup var published: WeightsOption

  @Option(help: "Client threads that run the program at once; training takes one.")
  var streams = 1

  @Flag(inversion: .prefixedNo, help: "Whether the workers of a single stream stay awake between its runs.")
  var scope = true

  @OptionGroup var random: SeedOption

  @Option(help: "Seconds to measure at least, cut into five windows; at most twice as long.")
  var duration = 1.5

  @Flag(inversion: .prefixedNo, help: "Whether kernels take in what follows them (sums, activations, normalizations).")
  var fusion = true

  @Flag(inversion: .prefixedNo, help: "Whether training computes cheap values again instead of keeping them.")
  var recomputation = true

  @Flag(help: "Also time each kernel, over five further runs; in json each node.")
  var profile = false

  @OptionGroup var repetition: RepetitionOptions

  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    guard (1...(mode == .training ? 1 : 1024)).contains(streams) else {
      throw ValidationError("--streams: expected 1\(mode == .training ? " in training" : " to 1024"), found \(streams)")
    }
    guard duration > 0, duration <= 86_400 else {
      throw ValidationError(
        "--duration: expected seconds above 0, at most a day, found \(duration)")
    }
  }

  func run() throws {
    var options = try machine.programOptions(numerics: precision.numerics, choices: saved.choices())
    options.fusesNodes = fusion
    options.recomputes = recomputation
    let source = try argument.source()
    let weights = try published.file()
    try output.write(machine, measures: true) { writer in
      let benchmark = try NetworkBenchmark(
        source, batch: images.batch, mode: mode, seed: random.seed, workers: machine.resolvedWorkers(),
        options: options, weights: weights, except: published.except)
      let result = try benchmark.measure(
        repetition.repetition(window: duration / 5, limit: 2 * duration), streams: streams,
        isInScope: scope)
      try writer.write(result, text: text(result))
      guard profile else { return }
      try Interruption.check()
      let times = try NodeTimes(benchmark, runs: 5)
      for entry in times.entries { try writer.write(entry) }
      try writer.text(times.text)
    }
  }

  private func text(_ result: NetworkResult) -> String {
    func time(_ ms: Double) -> String { "\(Format.milliseconds(ms * 1e-3)) ms" }
    let clients = streams > 1 ? ", \(streams) streams" : ""
    return """
      \(result.network), batch \(images.batch), \(mode.rawValue), \(result.workers) workers\(clients)
      best              \(time(result.bestMs))
      median            \(time(result.medianMs))
      90 %              \(time(result.p90Ms))
      99 %              \(time(result.p99Ms))
      99.9 %            \(time(result.p999Ms))
      longest           \(time(result.maximumMs))
      spread            \(Format.fixed(100 * result.spread, 1)) % in \(result.windows) windows
      images a second   \(Format.grouped(result.imagesPerSecond))
      planned memory    \(TopologyReport.size(result.plannedBytes)), of which arena \(TopologyReport.size(result.arenaBytes))
      resident at most  \(TopologyReport.size(result.peakRSSBytes))
      checksum          \(result.checksum)
      """
  }
}
