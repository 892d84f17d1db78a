import ArgumentParser
import Tessera
import TesseraKernels
import TesseraNetworks
import TesseraRuntime

/// What the numbers of a scaling curve count. Workers take cores in the order in which neighbours share caches.
enum ScalingUnit: String, CaseIterable, ExpressibleByArgument {
  case core
  /// All cores below one last-level cache.
  case l3
  /// All cores of one NUMA node.
  case numa

  /// The workers of the first one, two, ... of them on a machine.
  func workerCounts(on machine: Machine) -> [Int] {
    var ends: [Int] = []
    for (index, core) in machine.cores.enumerated() {
      let next = machine.cores.indices.contains(index + 1) ? machine.cores[index + 1] : nil
      let isLast =
        switch self {
        case .core: true
        case .l3: next.map { ($0.numaNode, $0.level3) != (core.numaNode, core.level3) } ?? true
        case .numa: next.map { $0.numaNode != core.numaNode } ?? true
        }
      if isLast { ends.append(index + 1) }
    }
    return ends
  }
}

/// One number of workers: one line of the report.
struct ScalingResult: Record {
  static let recordName = "scaling"
  let network: String
  let batch: Int
  let mode: String
  /// "strong": one batch for all numbers of workers; "weak": so many images for each worker.
  let kind: String
  let isa: String
  let workers: Int
  let bestMs: Double
  let medianMs: Double
  let spread: Double
  let windows: Int
  let endedBy: Windows.End
  let imagesPerSecond: Double
  /// Images a second by those of the fewest workers.
  let speedup: Double
  /// The speedup by what the further workers would give if they lost nothing.
  let efficiency: Double
  /// Of the simulator; nil for more workers than there are cores.
  @Nullable private(set) var predictedMs: Double?
  @Nullable private(set) var predictedImagesPerSecond: Double?
  @Nullable private(set) var predictedEfficiency: Double?
  /// Of outputs, or of parameters after three steps.
  let checksum: String
  /// Whether every other number of workers gives the same bits of the same batch.
  let isSame: Bool

  enum CodingKeys: String, CodingKey {
    case network, batch, mode, kind, isa, workers, spread, windows, speedup, efficiency, checksum
    case bestMs = "best_ms"
    case medianMs = "median_ms"
    case endedBy = "ended_by"
    case imagesPerSecond = "images_per_second"
    case predictedMs = "predicted_ms"
    case predictedImagesPerSecond = "predicted_images_per_second"
    case predictedEfficiency = "predicted_efficiency"
    case isSame = "checksum_agrees"
  }
}

/// A network with several numbers of workers: the same batch for all (strong scaling), and a batch that grows with them
/// (weak scaling).
struct ScalingBenchmark {
  enum Kind: String, CaseIterable { case strong, weak }

  /// One point of a curve.
  private struct Point {
    let kind: Kind
    let workers: Int
    let batch: Int
    let benchmark: NetworkBenchmark
    let checksum: String
    let predictedSeconds: Double?
  }

  private let network: Network
  private let mode: NetworkMode
  private let points: [Point]

  /// Compiles the network for all of them, and lets each compute its checksum.
  /// - Parameters:
  ///   - counts: numbers of workers, increasing.
  ///   - batch: of strong scaling.
  ///   - batchPerWorker: of weak scaling.
  ///   - progress: called before each of them, of which there are twice as many as counts.
  init(
    _ source: NetworkSource, mode: NetworkMode, counts: [Int], batch: Int, batchPerWorker: Int, seed: UInt64,
    options: Program.Options, figures: MachineFigures, progress: (String) -> Void
  ) throws {
    network = source.network
    self.mode = mode
    var points: [Point] = []
    for kind in Kind.allCases {
      for workers in counts {
        try Interruption.check()
        progress("\(kind.rawValue), \(Format.count(workers, "worker"))")
        let batch = kind == .strong ? batch : batchPerWorker * workers
        let benchmark = try NetworkBenchmark(
          source, batch: batch, mode: mode, seed: seed, workers: workers, options: options)
        points.append(
          Point(
            kind: kind, workers: workers, batch: batch, benchmark: benchmark, checksum: try benchmark.checksum(),
            predictedSeconds: workers <= Machine.current.cores.count
              ? try benchmark.predictedSeconds(figures: figures) : nil))
      }
    }
    self.points = points
  }

  /// Whether all numbers of workers gave the same bits, wherever they had the same batch.
  var agrees: Bool { points.allSatisfy(isSame) }

  private func isSame(_ point: Point) -> Bool {
    points.allSatisfy { $0.batch != point.batch || $0.checksum == point.checksum }
  }

  /// Measures them in turn.
  func measure(_ repetition: Repetition, progress: (_ rounds: Int) -> Void) throws -> [ScalingResult] {
    let timing = try TimingInTurn(
      repetition, progress: progress, points.map { point in { try point.benchmark.window(seconds: $0) } })
    var results: [ScalingResult] = []
    for (point, windows) in zip(points, timing.windows) {
      guard let base = zip(points, timing.windows).first(where: { $0.0.kind == point.kind }) else { continue }
      func rate(_ point: Point, _ seconds: Double) -> Double { Double(point.batch) / seconds }
      let workers = Double(point.workers) / Double(base.0.workers)
      let speedup = rate(point, windows.best) / rate(base.0, base.1.best)
      let predictedRate = point.predictedSeconds.map { rate(point, $0) }
      let predictedBase = base.0.predictedSeconds.map { rate(base.0, $0) }
      results.append(
        ScalingResult(
          network: network.name, batch: point.batch, mode: mode.rawValue, kind: point.kind.rawValue,
          isa: point.benchmark.instructionSet.name, workers: point.workers, bestMs: windows.best * 1e3,
          medianMs: windows.median * 1e3, spread: windows.spread, windows: windows.means.count, endedBy: windows.end,
          imagesPerSecond: rate(point, windows.best), speedup: speedup, efficiency: speedup / workers,
          predictedMs: point.predictedSeconds.map { $0 * 1e3 }, predictedImagesPerSecond: predictedRate,
          predictedEfficiency: predictedRate.flatMap { rate in predictedBase.map { rate / $0 / workers } },
          checksum: point.checksum, isSame: isSame(point)))
    }
    return results
  }
}

/// Scaling curves in at most 80 columns.
enum ScalingTable {
  static func text(_ results: [ScalingResult], _ kind: ScalingBenchmark.Kind) -> String {
    var table = TextTable(
      header: ["workers", "batch", "ms", "images/s", "speedup", "efficiency", "predicted ms", "efficiency"])
    func percent(_ share: Double?) -> String { share.map { "\(Format.fixed($0 * 100, 0)) %" } ?? "-" }
    for result in results where result.kind == kind.rawValue {
      table.add([
        "\(result.workers)", "\(result.batch)", Format.milliseconds(result.bestMs * 1e-3),
        Format.grouped(result.imagesPerSecond), Format.fixed(result.speedup, 2), percent(result.efficiency),
        result.predictedMs.map { Format.milliseconds($0 * 1e-3) } ?? "-", percent(result.predictedEfficiency),
      ])
    }
    return table.text
  }
}
