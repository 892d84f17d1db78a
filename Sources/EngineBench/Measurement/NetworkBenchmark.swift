import ArgumentParser
import Tessera
import TesseraFormats
import TesseraKernels
import TesseraNetworks

enum NetworkMode: String, CaseIterable, ExpressibleByArgument {
  case inference, training
}

/// One line of the report.
struct NetworkResult: Encodable {
  let network: String
  let batch: Int
  let mode: String
  let isa: String
  let workers: Int
  let bestMs: Double
  let medianMs: Double
  let imagesPerSecond: Double
  let checksum: String
  let plannedBytes: Int

  enum CodingKeys: String, CodingKey {
    case network, batch, mode, isa, workers, checksum
    case bestMs = "best_ms"
    case medianMs = "median_ms"
    case imagesPerSecond = "images_per_second"
    case plannedBytes = "planned_bytes"
  }
}

/// A network on one fixed, seeded batch.
final class NetworkBenchmark {
  private let network: Network
  private let batch: Int
  private let mode: NetworkMode
  private let images: HostTensor<Float>
  private let labels: HostTensor<Int32>
  private let output: HostTensor<Float>
  /// So small that networks without normalization stay finite on one batch of noise: at 0.01, VGG-16 doesn't.
  private let learningRate: HostTensor<Float>
  private let session: Session

  /// - Parameters:
  ///   - weights: nil: random ones.
  ///   - parameters: values by the names that the store has for them, of an imported model.
  init(
    _ network: Network, batch: Int, mode: NetworkMode, seed: UInt64, workers: Int,
    options: Program.Options, weights: SafetensorsFile? = nil, parameters: [String: Tensor] = [:]
  ) throws(TesseraError) {
    self.network = network
    self.batch = batch
    self.mode = mode
    let store = ParameterStore(seed: seed)
    switch mode {
    case .inference:
      session = try Session(
        Program(network.model.graph(batch: batch), options: options), store: store, workers: workers
      )
    case .training:
      session = try Trainer(
        model: network.model, batch: batch, loss: .softmaxCrossEntropy(),
        optimizer: .sgd(momentum: 0.9), store: store, options: options, workers: workers
      ).session
    }
    if let weights { try store.load(weights, for: network.model) }
    try store.set(parameters)
    let outputCount = session.program.outputs.first { $0.name == "output" }?.type.shape.count ?? 0
    // Only now is it known that such a batch has a number of elements.
    images = try .normal(batch * network.inputShape.count, seed: seed)
    learningRate = try HostTensor(1) { _ in 1e-4 }
    output = try HostTensor(outputCount) { _ in 0 }
    var random = PhiloxGenerator(seed: seed, stream: StableHash.fnv1a("labels"))
    labels = try HostTensor(outputCount / network.classes) { _ in Int32(random.next() % UInt64(network.classes)) }
  }

  func measure(window: Double) throws -> NetworkResult {
    let checksum = try self.checksum()
    let timing = try session.withWorkers { try Timing(window: window) { try run() } }
    return NetworkResult(
      network: network.name, batch: batch, mode: mode.rawValue,
      isa: session.program.instructionSet.name, workers: session.workers,
      bestMs: timing.bestSeconds * 1e3, medianMs: timing.medianSeconds * 1e3,
      imagesPerSecond: Double(batch) / timing.bestSeconds, checksum: checksum, plannedBytes: memoryUse.byteCount)
  }

  /// Where the time of one inference or training step goes.
  func profile() throws(TesseraError) -> RunProfile { try session.profile(bind) }

  /// Who computes what, when the workers are awake and warm.
  func trace() throws -> RunTrace {
    try session.withWorkers {
      for _ in 0..<2 { try run() }
      return try session.trace(bind)
    }
  }

  func run() throws(TesseraError) { try session.run(bind) }

  /// What the session takes, as planned.
  var memoryUse: MemoryUse { session.program.memoryUse(workers: session.workers) }

  var workers: Int { session.workers }

  private func bind(_ call: borrowing RunBindings) throws(TesseraError) {
    try call.setInput("input", UnsafeRawBufferPointer(images.bytes))
    try call.setOutput("output", output.bytes)
    if mode == .training {
      try call.setInput("target", UnsafeRawBufferPointer(labels.bytes))
      try call.setInput(
        TrainingGraph.defaultLearningRateName, UnsafeRawBufferPointer(learningRate.bytes))
    }
  }

  /// Of the outputs, or of all parameters after the first three steps.
  private func checksum() throws(TesseraError) -> String {
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
