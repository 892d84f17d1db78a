import Dispatch
import Foundation
import Tessera

#if canImport(Glibc)
  import Glibc
#endif

/// Watches what else happens on a machine while something is measured, and says so: figures of a noisy machine are those of
/// the noise.
struct NoiseMonitor {
  /// Others may keep so many processors busy, or this share of them, before it is said.
  private static let otherLoad = 0.25
  private static let otherShare = 0.02
  /// So much may the clock be slower at the end than at the beginning.
  private static let clockLoss = 0.04

  /// What was to be seen at the beginning.
  let warnings: [String]
  private let processors: Int
  private let start = ContinuousClock.now
  private let time = System.processorTime
  private let ownTime = System.ownProcessorTime
  private let clock = ClockRate.measured()

  init(_ machine: Machine = .current, workers: Int) {
    processors = machine.cores.reduce(0) { $0 + $1.processorCount }
    let cores = machine.cores.count
    // Of several looks the best: the system itself works now and then.
    let runnable = (0..<5).compactMap { _ in
      usleep(1000)
      return System.runnableThreads
    }.min()
    // One of them is this thread.
    let others = max(0, (runnable ?? 1) - 1)
    var warnings: [String] = []
    if others > 0 { warnings.append("\(others) other thread\(others == 1 ? " is" : "s are") running on this machine") }
    if workers > cores {
      warnings.append("\(workers) workers, but \(Format.count(cores, "core")): they take turns")
    } else if workers > cores - others, others > 0 {
      warnings.append("\(workers) workers, but \(max(0, cores - others)) of \(cores) cores free")
    }
    if let quota = machine.quota, quota < Double(cores) {
      warnings.append("a control group grants \(Format.fixed(quota, 2)) processors' time for \(cores) cores")
    }
    self.warnings = warnings
  }

  /// What was to be seen since.
  func record() -> NoiseRecord {
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    var (others, stolen): (Double?, Double?) = (nil, nil)
    if let before = time, let after = System.processorTime, seconds > 0.2 {
      // Ticks of a hundredth second say little of less.
      others = max(0, after.busy - before.busy - (System.ownProcessorTime - ownTime)) / seconds
      stolen = (after.stolen - before.stolen) / seconds
    }
    let ratio = ClockRate.measured() / clock
    var warnings: [String] = []
    if let others, others > max(Self.otherLoad, Self.otherShare * Double(processors)) {
      warnings.append("others kept \(Format.fixed(others, 2)) processors busy while this ran")
    }
    if let stolen, stolen > 0.01 * Double(processors) {
      warnings.append("the hypervisor took away \(Format.fixed(100 * stolen / Double(processors), 1)) % of the time")
    }
    if ratio < 1 - Self.clockLoss {
      warnings.append("the clock is \(Format.fixed(100 * (1 - ratio), 0)) % slower than at the beginning")
    }
    return NoiseRecord(
      seconds: seconds, otherProcessors: others, stolenProcessors: stolen, clockRatio: ratio, warnings: warnings)
  }
}

/// The last line of a file of measurements: how quiet the machine was.
struct NoiseRecord: Record {
  static let recordName = "noise"

  /// From the first measurement to the last.
  let seconds: Double
  /// That others kept busy, in the mean; nil where the system doesn't say.
  @Nullable private(set) var otherProcessors: Double?
  @Nullable private(set) var stolenProcessors: Double?
  /// The clock at the end over that at the beginning.
  let clockRatio: Double
  let warnings: [String]

  enum CodingKeys: String, CodingKey {
    case seconds, warnings
    case otherProcessors = "other_processors"
    case stolenProcessors = "stolen_processors"
    case clockRatio = "clock_ratio"
  }
}

/// How fast this core counts, whatever frequency it says it has.
private enum ClockRate {
  /// Steps a nanosecond of a chain of multiplications, each of which waits for the one before: the best of several, since
  /// others can only slow one down.
  static func measured() -> Double {
    let steps = 100_000
    var best = UInt64.max
    var value = DispatchTime.now().uptimeNanoseconds
    for _ in 0..<12 {
      let start = DispatchTime.now().uptimeNanoseconds
      // Knuth's multiplier, of which a compiler knows no shortcut.
      for _ in 0..<steps { value = value &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407 }
      best = min(best, DispatchTime.now().uptimeNanoseconds - start)
    }
    // Its value is used, so that it is computed.
    return Double(steps) / Double(max(1, best) + (value == 0 ? 1 : 0))
  }
}
