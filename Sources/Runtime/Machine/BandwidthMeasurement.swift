public import TesseraKernels

/// Where operands lie.
public enum MemoryLevel: String, CaseIterable, Sendable {
  case level1 = "L1"
  case level2 = "L2"
  case level3 = "L3"
  case memory

  /// The nearest of which a worker's bytes fill at most three quarters; for more, memory.
  /// - Parameter level3Share: what the worker has of the last cache.
  init(holding bytes: Int, _ caches: CacheSizes, level3Share: Int) {
    func fit(_ cache: Int) -> Bool { bytes <= cache * 3 / 4 }
    self =
      fit(caches.level1Bytes) ? .level1 : fit(caches.level2Bytes) ? .level2 : fit(level3Share) ? .level3 : .memory
  }
}

/// How fast a number of workers can move data at best, level by level: what operators that no arithmetic holds up are
/// compared with.
public struct BandwidthMeasurement: Sendable {
  /// The instruction set that is measured.
  public let instructionSet: InstructionSet
  /// How many threads work at the same time.
  public let workers: Int
  private let kernels: any KernelSet.Type

  /// Nil for an instruction set that can't run here.
  public init?(instructionSet: InstructionSet, workers: Int) {
    guard let kernels = KernelCatalogue.runnableKernels(for: instructionSet) else { return nil }
    (self.instructionSet, self.workers, self.kernels) = (instructionSet, workers, kernels)
  }

  /// The level of which `bytes`, spread over all workers, fill at most three quarters; for more, memory.
  public static func level(ofBytes bytes: Int, workers: Int) -> MemoryLevel {
    MemoryLevel(holding: bytes / workers, Machine.current.caches, level3Share: level3Share(workers))
  }

  /// 10^9 bytes a second, all workers together; 0 where there is no memory for the operands. A write counts as one
  /// transfer, even where the line is read first.
  ///
  /// All operands together fill half of the level that they are to lie in; in memory they are four times as large as the
  /// last cache, so that little of it is still there in the next run.
  public func gigabytesPerSecond(_ pattern: TransferPattern, in level: MemoryLevel, streams: Bool) -> Double {
    let operands = pattern.reads + pattern.writes
    let caches = Machine.current.caches
    let footprint =
      switch level {
      case .level1: caches.level1Bytes / 2
      case .level2: caches.level2Bytes / 2
      case .level3: max(2 * caches.level2Bytes, Self.level3Share(workers) / 2)
      case .memory: max(4 * Self.level3Share(workers), (128 << 20) / workers)
      }
    // Whole lines, and one more from operand to operand: at distances of a power of two they would share cache sets.
    let count = max(16, footprint / operands / MemoryLayout<Float>.stride / 16 * 16)
    let stride = count + 32
    let byteCount = operands * stride * MemoryLayout<Float>.stride
    guard let memory = try? (0..<workers).map({ _ in try AlignedMemory(allocating: byteCount, for: "operands") })
    else { return 0 }
    let bytes = Double(operands * count * MemoryLayout<Float>.stride)
    // Long runs make small what it costs to start the workers.
    let repetitions = max(1, Int(64e6 / bytes))
    let kernels = kernels
    return TeamRate.best(workers: workers, runs: 6) { worker, sink in
      let base = memory[worker].base.assumingMemoryBound(to: Float.self)
      let a = base + (pattern.writes > 0 ? stride : 0)
      let b = pattern.reads > 1 ? a + stride : a
      for _ in 0..<repetitions {
        sink.pointee += kernels.transferLoop(pattern, streams: streams, count: count, a: a, b: b, y: base)
      }
      return Double(repetitions) * bytes
    }
  }

  /// The last cache's bytes for each of the workers that share it.
  private static func level3Share(_ workers: Int) -> Int {
    let machine = Machine.current
    let caches = Set(machine.cores.prefix(workers).map(\.level3)).count
    return machine.caches.level3Bytes * max(1, caches) / workers
  }
}
