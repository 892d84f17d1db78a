import Tessera
import TesseraKernels
import TesseraNetworks
import TesseraRuntime

/// A network placed on a machine: who computes what, and what is expected of it.
struct PlanReport: Record {
  static let recordName = "plan"

  /// One number of workers.
  struct Scaling: Encodable {
    let workers: Int
    let predictedMs: Double
    let imagesPerSecond: Double
    let efficiency: Double
    /// Of this machine, where it was asked for.
    var measuredMs: Double?

    enum CodingKeys: String, CodingKey {
      case workers, efficiency
      case predictedMs = "predicted_ms"
      case measuredMs = "measured_ms"
      case imagesPerSecond = "images_per_second"
    }
  }

  let network: String
  let batch: Int
  let cores: Int
  let numaNodes: Int
  /// To deal all tasks out, once a session.
  let planMs: Double
  private(set) var scaling: [Scaling]
  /// Seconds of each node, with as many workers as the plan has, where it was asked for.
  private(set) var measuredSeconds: [String: Double] = [:]
  let explanation: Explanation

  enum CodingKeys: String, CodingKey {
    case network, batch, cores, scaling, explanation
    case numaNodes = "numa_nodes"
    case planMs = "plan_ms"
    case measuredSeconds = "measured_seconds"
  }

  init(_ network: String, batch: Int, _ program: Program, on machine: Machine, workers: Int, figures: MachineFigures)
    throws(TesseraError)
  {
    self.network = network
    self.batch = batch
    cores = machine.cores.count
    numaNodes = Set(machine.cores.map(\.numaNode)).count
    let clock = ContinuousClock()
    let start = clock.now
    _ = try program.partition(on: machine, workers: workers)
    planMs = (clock.now - start) / .milliseconds(1)
    explanation = try program.explain(on: machine, workers: workers, figures: figures)
    var scaling: [Scaling] = []
    for count in sequence(first: 1, next: { $0 * 2 }).prefix(while: { $0 < workers }) + [workers] {
      let explanation = try program.explain(on: machine, workers: count, figures: figures)
      scaling.append(
        Scaling(
          workers: count, predictedMs: explanation.predictedSeconds * 1e3,
          imagesPerSecond: Double(batch) / explanation.predictedSeconds, efficiency: explanation.predictedEfficiency))
    }
    self.scaling = scaling
  }

  /// Adds what is measured here, beside what was predicted.
  mutating func measure(_ source: NetworkSource, options: Program.Options, duration: Double) throws {
    for index in scaling.indices {
      let benchmark = try NetworkBenchmark(
        source, batch: batch, mode: .inference, seed: 0, workers: scaling[index].workers, options: options)
      scaling[index].measuredMs = try benchmark.measure(Repetition(window: duration / 5, limit: duration)).bestMs
      guard scaling[index].workers == explanation.workers else { continue }
      for _ in 0..<20 {
        for entry in try benchmark.profile().entries {
          measuredSeconds[entry.node] = min(measuredSeconds[entry.node] ?? .infinity, entry.seconds)
        }
      }
    }
  }

  var text: String {
    let isMeasured = !measuredSeconds.isEmpty
    func microseconds(_ seconds: Double) -> String { Format.fixed(seconds * 1e6, seconds < 1e-3 ? 1 : 0) }
    var layers = TextTable(
      header: ["layer", "algorithm", "tasks", "share", "cut", "more", "bound", "us"] + (isMeasured ? ["real"] : []))
    for node in explanation.nodes where !node.isPreparation {
      let share =
        node.smallestShare == node.largestShare
        ? "\(node.largestShare)" : "\(node.smallestShare)-\(node.largestShare)"
      layers.add(
        [
          String(node.name.suffix(isMeasured ? 14 : 18)), String(node.algorithm.prefix(11)), "\(node.tasks)", share,
          "\(node.bands)",
          node.tasks < explanation.workers ? "-" : "\(Format.fixed(node.imbalance * 100, 0)) %",
          String(node.bound.rawValue.prefix(8)),
          microseconds(node.predictedSeconds),
        ] + (measuredSeconds[node.name].map { [microseconds($0)] } ?? []))
    }
    var numbers = TextTable(
      header: ["workers", "ms", "images/s", "efficiency"] + (isMeasured ? ["measured ms", "predicted/measured"] : []))
    for row in scaling {
      numbers.add(
        [
          "\(row.workers)", Format.milliseconds(row.predictedMs * 1e-3), Format.grouped(row.imagesPerSecond),
          "\(Format.fixed(row.efficiency * 100, 0)) %",
        ] + (row.measuredMs.map { [Format.milliseconds($0 * 1e-3), Format.fixed(row.predictedMs / $0, 2)] } ?? []))
    }
    return """
      \(network), batch \(batch), \(explanation.workers) workers, dealt out in \(Format.fixed(planMs, 2)) ms
      \(MemoryReport.summary(explanation.memory))

      cut: bands of batch and rows; more: the largest share beyond the mean
      \(layers.text)

      Prediction, not a measurement: from the peak and the bandwidths of this
      machine's cores, as `engine-bench peak` measures them.
      \(numbers.text)
      """
  }
}
