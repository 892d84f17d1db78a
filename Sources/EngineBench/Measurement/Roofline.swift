import Tessera
import TesseraKernels

/// What a computation could do at best: all multiply-adds at their peak, or all operands at the bandwidth of the level of
/// memory that they lie in, whichever takes longer (Williams, Waterman and Patterson, "Roofline", 2009).
struct Roofline {
  /// What one computation is held against.
  struct Roof {
    /// "arithmetic", or the level of memory: "L1", "L2", "L3", "memory".
    let bound: String
    /// 10^9 operations a second of the direct algorithm.
    let gflops: Double
  }

  let peak: PeakMeasurement
  private var bandwidths: Bandwidths

  /// Measures the peak; bandwidths when they are first needed. Nil for an instruction set that can't run here.
  init?(instructionSet: InstructionSet, workers: Int) {
    guard
      let bandwidths = Bandwidths(
        instructionSet: instructionSet, workers: workers, remembersMemory: true)
    else {
      return nil
    }
    self.bandwidths = bandwidths
    peak = PeakMeasurement(instructionSet: instructionSet, workers: workers)
  }

  /// - Parameters:
  ///   - bytes: of all operands, each once.
  ///   - isCold: whether none of them is in a cache.
  mutating func roof(flops: Double, bytes: Int, writtenBytes: Int, isCold: Bool) -> Roof {
    let level = isCold ? .memory : BandwidthMeasurement.level(ofBytes: bytes, workers: peak.workers)
    let bandwidth = bandwidths.reference(
      writtenShare: Double(writtenBytes) / Double(bytes), in: level)
    let reachable = flops / Double(bytes) * bandwidth.gigabytesPerSecond
    return reachable < peak.gflops
      ? Roof(bound: level.rawValue, gflops: reachable)
      : Roof(bound: "arithmetic", gflops: peak.gflops)
  }
}
