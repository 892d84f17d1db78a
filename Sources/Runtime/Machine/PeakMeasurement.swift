import Dispatch
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
    let kernels = KernelCatalogue.kernels(for: instructionSet)
    guard let kernels, KernelCatalogue.supported.contains(instructionSet) else {
      (gflops, readGigabytesPerSecond) = (0, 0)
      return
    }
    let iterations = Self.iterations(kernels)
    gflops = Self.best(workers: workers, runs: 8) { _, sink in
      kernels.multiplyAddLoop(iterations: iterations, sink: sink)
    }
    // Several times the last-level cache in all, so that little of it is still there in the next run.
    let total = max(4 * Machine.current.caches.level3Bytes, 128 << 20)
    let count = max(1 << 20, total / workers / MemoryLayout<Float>.stride)
    let memory = (0..<workers).map { _ in
      AlignedMemory(byteCount: count * MemoryLayout<Float>.stride)
    }
    readGigabytesPerSecond = Self.best(workers: workers, runs: 5) { worker, sink in
      let x = memory[worker].base.assumingMemoryBound(to: Float.self)
      sink.pointee = kernels.readLoop(count: count, x: x)
      return Double(count * MemoryLayout<Float>.stride)
    }
  }

  /// Iterations that take one worker 12 ms or more: one that starts 50 us late is then less than half a percent of a run.
  /// Runs of 0.6 ms gave 2.3 % too little: 229 for 234.3 GFLOP/s.
  private static func iterations(_ kernels: any KernelSet.Type) -> Int {
    var iterations = 100_000
    var sink: Float = 0
    while true {
      let start = DispatchTime.now().uptimeNanoseconds
      _ = kernels.multiplyAddLoop(iterations: iterations, sink: &sink)
      if DispatchTime.now().uptimeNanoseconds - start >= 12_000_000 { return iterations }
      iterations *= 2
    }
  }

  /// The best rate of several runs, in 10^9 a second of what `body` returns the amount of.
  private static func best(
    workers: Int, runs: Int,
    _ body: @escaping @Sendable (_ worker: Int, _ sink: UnsafeMutablePointer<Float>) -> Double
  ) -> Double {
    let amounts = AlignedMemory(byteCount: workers * AlignedMemory.alignment)
    var best = 0.0
    for _ in 0..<runs {
      let start = DispatchTime.now().uptimeNanoseconds
      Team.perform(workers: workers) { worker, processor in
        let binding = processor.flatMap { ThreadBinding(toProcessor: $0) }
        let line = amounts.base + worker * AlignedMemory.alignment
        let amount = body(worker, (line + 64).assumingMemoryBound(to: Float.self))
        line.storeBytes(of: amount, as: Double.self)
        _ = consume binding
      }
      let nanoseconds = max(1, DispatchTime.now().uptimeNanoseconds - start)
      let amount = (0..<workers).reduce(0.0) {
        $0 + (amounts.base + $1 * AlignedMemory.alignment).load(as: Double.self)
      }
      best = max(best, amount / Double(nanoseconds))
    }
    return best
  }
}
