import Dispatch
import Tessera
import TesseraKernels

/// How long each algorithm takes for one convolution, measured in turn.
///
/// In each round every algorithm runs for a window; its time is the best window mean. Whatever disturbs the machine for a
/// while disturbs all of them alike. Rounds end when none of those near the fastest got better any more, or with the time.
struct AlgorithmTiming {
  /// Seconds of an algorithm that the convolution doesn't refuse.
  private(set) var seconds: [ConvolutionAlgorithm: Double] = [:]

  /// Those slower than the fastest by more than this factor aren't measured further.
  private static let hopeless = 2.0
  /// A best time counts as found when the second best is this near.
  private static let spread = 1.01
  private static let window = 0.01

  /// - Parameter limit: seconds after which no new round begins.
  init(_ benchmarks: [ConvolutionAlgorithm: LayerBenchmark], limit: Double) throws(TesseraError) {
    let order = ConvolutionAlgorithm.allCases.filter { benchmarks[$0] != nil }
    var means: [ConvolutionAlgorithm: [Double]] = [:]
    let start = DispatchTime.now().uptimeNanoseconds
    for algorithm in order { try benchmarks[algorithm]?.run() }
    var candidates = order
    repeat {
      for algorithm in candidates {
        guard let benchmark = benchmarks[algorithm] else { continue }
        means[algorithm, default: []].append(try Self.mean(benchmark))
      }
      for (algorithm, means) in means { seconds[algorithm] = means.min() }
      let fastest = seconds.values.min() ?? 0
      candidates = order.filter { (seconds[$0] ?? 0) <= Self.hopeless * fastest }
      let isSteady = candidates.allSatisfy { algorithm in
        guard let sorted = means[algorithm]?.sorted(), sorted.count > 2 else { return false }
        return sorted[1] <= Self.spread * sorted[0]
      }
      if isSteady { break }
    } while Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9 < limit
  }

  /// The mean of the runs in one window.
  private static func mean(_ benchmark: LayerBenchmark) throws(TesseraError) -> Double {
    // The first run finds the caches as another algorithm left them.
    try benchmark.run()
    let start = DispatchTime.now().uptimeNanoseconds
    var count = 0
    var elapsed = 0.0
    repeat {
      try benchmark.run()
      count += 1
      elapsed = Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    } while elapsed < window
    return elapsed / Double(count)
  }

  /// The fastest, or `usual` where no other is faster by more than the noise.
  func choice(usual: ConvolutionAlgorithm) -> ConvolutionAlgorithm {
    guard let fastest = seconds.min(by: { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }),
      let usualSeconds = seconds[usual]
    else { return usual }
    return fastest.value < (1 - Self.noise) * usualSeconds ? fastest.key : usual
  }

  /// Differences below this share aren't trusted.
  static let noise = 0.03
}
