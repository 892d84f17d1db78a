import ArgumentParser
import Tessera
import TesseraFormats
import TesseraKernels
import TesseraNetworks

enum NetworkMode: String, CaseIterable, ExpressibleByArgument {
  case inference, training
}

/// One line of the report.
struct NetworkResult: Record {
  static let recordName = "network"

  let network: String
  let batch: Int
  let mode: String
  let isa: String
  let workers: Int
  let streams: Int
  let bestMs: Double
  let medianMs: Double
  let p90Ms: Double
  let p99Ms: Double
  let p999Ms: Double
  let maximumMs: Double
  let spread: Double
  let windows: Int
  let endedBy: Windows.End
  let imagesPerSecond: Double
  let checksum: String
  /// Milliseconds and how many calls took so long, in steps of a hundredth.
  let latencies: [[Double]]
  let plannedBytes: Int
  /// Of a run's temporary values.
  let arenaBytes: Int
  /// The most that the process had resident by the end.
  let peakRSSBytes: Int

  enum CodingKeys: String, CodingKey {
    case network, batch, mode, isa, workers, streams, checksum, spread, windows
    case endedBy = "ended_by"
    case bestMs = "best_ms"
    case medianMs = "median_ms"
    case p90Ms = "p90_ms"
    case p99Ms = "p99_ms"
    case p999Ms = "p999_ms"
    case maximumMs = "max_ms"
    case imagesPerSecond = "images_per_second"
    case latencies = "latency_histogram"
    case plannedBytes = "planned_bytes"
    case arenaBytes = "arena_bytes"
    case peakRSSBytes = "peak_rss_bytes"
  }
}

/// A network on one fixed, seeded batch.
final class NetworkBenchmark: Sendable {
  private let network: Network
  let batch: Int
  let mode: NetworkMode
  private let images: HostTensor<Float>
  private let labels: HostTensor<Int32>
  fileprivate let output: HostTensor<Float>
  /// So small that networks without normalization stay finite on one batch of noise: at 0.01, VGG-16 doesn't.
  private let learningRate: HostTensor<Float>
  private let session: Session

  /// - Parameters:
  ///   - weights: nil: random ones.
  ///   - layers: whose weights stay random.
  init(
    _ source: NetworkSource, batch: Int, mode: NetworkMode, seed: UInt64, workers: Int, options: Program.Options,
    weights: SafetensorsFile? = nil, except layers: [String] = []
  ) throws(TesseraError) {
    network = source.network
    self.batch = batch
    self.mode = mode
    let store = ParameterStore(seed: seed)
    session = try Session(
      Program(network.graph(batch: batch, mode: mode), options: options), store: store, workers: workers)
    if let weights { try store.load(weights, for: network.model, except: layers) }
    try store.set(source.parameters)
    let outputCount = session.program.outputs.first { $0.name == "output" }?.type.shape.count ?? 0
    // Only now is it known that such a batch has a number of elements.
    images = try .normal(batch * network.inputShape.count, seed: seed)
    learningRate = try HostTensor(1) { _ in 1e-4 }
    output = try HostTensor(outputCount) { _ in 0 }
    var random = PhiloxGenerator(seed: seed, stream: StableHash.fnv1a("labels"))
    let classes = source.network.classes
    labels = try HostTensor(outputCount / classes) { _ in Int32(random.next() % UInt64(classes)) }
  }

  /// - Parameters:
  ///   - streams: how many clients run it at once.
  ///   - isInScope: whether the workers of a single client stay awake between runs.
  /// - Throws: ``TesseraError/Code/checkFailed`` if a client gets other bits than a run alone.
  func measure(_ repetition: Repetition, streams: Int = 1, isInScope: Bool = true) throws -> NetworkResult {
    let checksum = try self.checksum()
    let clients = try Clients(of: self, count: streams)
    let timing =
      try isInScope && streams == 1
      ? session.withWorkers { try ClientTiming(clients: 1, repetition, clients.run) }
      : ClientTiming(clients: streams, repetition, clients.run)
    if streams > 1 { try clients.check(checksum) }
    return NetworkResult(
      network: network.name, batch: batch, mode: mode.rawValue,
      isa: session.program.instructionSet.name, workers: session.workers, streams: streams,
      bestMs: timing.bestSeconds * 1e3, medianMs: timing.seconds(percentile: 50) * 1e3,
      p90Ms: timing.seconds(percentile: 90) * 1e3, p99Ms: timing.seconds(percentile: 99) * 1e3,
      p999Ms: timing.seconds(percentile: 99.9) * 1e3, maximumMs: timing.seconds(percentile: 100) * 1e3,
      spread: timing.windows.spread, windows: timing.windows.means.count, endedBy: timing.windows.end,
      imagesPerSecond: Double(batch) * timing.callsPerSecond, checksum: checksum,
      latencies: timing.latencies.milliseconds, plannedBytes: memoryUse.byteCount,
      arenaBytes: memoryUse.arenaByteCount, peakRSSBytes: try PeakMemory.byteCount())
  }

  /// Clients that run it at once, each with memory of its own for the output.
  struct Clients: Sendable {
    private let benchmark: NetworkBenchmark
    private let outputs: [HostTensor<Float>]

    fileprivate init(of benchmark: NetworkBenchmark, count: Int) throws(TesseraError) {
      var outputs = [benchmark.output]
      for _ in 1..<count { outputs.append(try HostTensor(benchmark.output.elements.count) { _ in 0 }) }
      (self.benchmark, self.outputs) = (benchmark, outputs)
    }

    @Sendable func run(_ client: Int) throws(TesseraError) { try benchmark.run(outputs[client]) }

    /// - Throws: ``TesseraError/Code/checkFailed`` if the last run of any gave other bits.
    fileprivate func check(_ checksum: String) throws(TesseraError) {
      for output in outputs {
        var found = Checksum()
        found.add(UnsafeRawBufferPointer(output.bytes))
        guard found.description == checksum else {
          throw TesseraError(.checkFailed, at: "output", expected: checksum, found: found.description)
        }
      }
    }
  }

  // MARK: Serving

  /// How many runs a second several clients get done, each of which makes the next as soon as it has the one before.
  func runsPerSecond(clients count: Int, seconds: Double) throws -> Double {
    let clients = try Clients(of: self, count: count)
    return try ClientTiming(
      clients: count, Repetition(window: seconds / 5, limit: seconds), clients.run
    ).callsPerSecond
  }

  /// Serves requests that don't wait for each other.
  /// - Throws: ``TesseraError/Code/checkFailed`` if a client gets other bits than the checksum's.
  func serve(_ load: OfferedLoad, clients count: Int, checksum: String) throws -> OfferedLoad.Outcome {
    let clients = try Clients(of: self, count: count)
    // Each has made its context when the first request comes, and an output to check.
    _ = try ClientThreads.run(count, clients.run)
    let outcome = try load.offer(clients: count, clients.run)
    try clients.check(checksum)
    return outcome
  }

  // MARK: Scaling

  /// The mean seconds of a run in a window, in a scope of its own.
  func window(seconds: Double) throws -> Double {
    try session.withWorkers { try TimingInTurn.mean(window: seconds) { try run() } }
  }

  /// What a simulation of this machine expects of a run.
  func predictedSeconds(figures: MachineFigures) throws(TesseraError) -> Double {
    try session.program.explain(workers: session.workers, figures: figures).predictedSeconds
  }

  var instructionSet: InstructionSet { session.program.instructionSet }

  // MARK: Runs

  /// Where the time of one inference or training step goes.
  func profile() throws(TesseraError) -> RunProfile { try session.profile(bind) }

  /// Who computes what, when the workers are awake and warm.
  func trace() throws -> RunTrace {
    try session.withWorkers {
      for _ in 0..<2 { try run() }
      return try session.trace(bind)
    }
  }

  func run() throws(TesseraError) { try run(output) }

  fileprivate func run(_ output: HostTensor<Float>) throws(TesseraError) {
    try session.run { (call) throws(TesseraError) in try bind(call, output) }
  }

  /// What the session takes, as planned.
  var memoryUse: MemoryUse { session.program.memoryUse(workers: session.workers) }

  /// The network's.
  var name: String { network.name }

  var workers: Int { session.workers }

  /// What the system gave by now.
  var largePages: LargePages { session.largePages() }

  private func bind(_ call: borrowing RunBindings) throws(TesseraError) { try bind(call, output) }

  private func bind(_ call: borrowing RunBindings, _ output: HostTensor<Float>) throws(TesseraError) {
    try call.setInput("input", UnsafeRawBufferPointer(images.bytes))
    try call.setOutput("output", output.bytes)
    if mode == .training {
      try call.setInput("target", UnsafeRawBufferPointer(labels.bytes))
      try call.setInput(
        TrainingGraph.defaultLearningRateName, UnsafeRawBufferPointer(learningRate.bytes))
    }
  }

  /// Of the outputs, or of all parameters after the first three steps.
  func checksum() throws(TesseraError) -> String {
    var checksum = Checksum()
    switch mode {
    case .inference:
      try run()
      checksum.add(UnsafeRawBufferPointer(output.bytes))
    case .training:
      for _ in 0..<3 { try run() }
      for (_, tensor) in try session.store.snapshot().sorted(by: { $0.key < $1.key }) {
        tensor.withUnsafeBytes { checksum.add($0) }
      }
    }
    return checksum.description
  }
}

/// FNV-1a, 64 bits (Fowler, Noll and Vo), over the bytes added.
struct Checksum: CustomStringConvertible {
  private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
  }

  var description: String {
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
