public import TesseraKernels

/// What a number of workers can do at best, measured: the figures that percentages of peak refer to.
public struct PeakMeasurement: Sendable {
  /// The instruction set that was measured.
  public let instructionSet: InstructionSet
  /// How many threads worked at the same time.
  public let workers: Int
  /// 10^9 floating-point operations a second, of multiply-adds on registers.
  public let gflops: Double
  /// 10^9 bytes a second, read from memory beyond the caches.
  public let readGigabytesPerSecond: Double

  /// Measures for about half a second: the best of several runs, since others can only slow one down.
  public init(instructionSet: InstructionSet, workers: Int) {
    self.instructionSet = instructionSet
    self.workers = workers
    gflops = Self.multiplyAdd(instructionSet, workers: workers)
    readGigabytesPerSecond =
      BandwidthMeasurement(instructionSet: instructionSet, workers: workers)?
      .gigabytesPerSecond(.read, in: .memory, streams: false) ?? 0
  }

  /// 10^9 floating-point operations a second of multiply-adds on registers; 0 for an instruction set that can't run here.
  public static func multiplyAdd(_ instructionSet: InstructionSet, workers: Int) -> Double {
    guard let kernels = KernelCatalogue.runnableKernels(for: instructionSet) else { return 0 }
    let iterations = iterations(kernels)
    return TeamRate.best(workers: workers, runs: 8) { _, sink in
      kernels.multiplyAddLoop(iterations: iterations, sink: sink)
    }
  }

  /// Iterations that take one worker 12 ms or more: one that starts 50 us late is then less than half a percent of a run.
  /// Runs of 0.6 ms gave 2.3 % too little: 229 for 234.3 GFLOP/s.
  private static func iterations(_ kernels: any KernelSet.Type) -> Int {
    var iterations = 100_000
    var sink: Float = 0
    while true {
      let seconds = TeamRate.seconds { _ = kernels.multiplyAddLoop(iterations: iterations, sink: &sink) }
      if seconds >= 0.012 { return iterations }
      iterations *= 2
    }
  }
}
