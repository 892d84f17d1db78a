public import TesseraKernels

/// What a core and its memory do at best: what a prediction is made of. All of it is what `engine-bench peak` measures;
/// nothing was fitted to the time of a network.
public struct MachineFigures: Hashable, Sendable, Encodable {
  /// 10^9 bytes a second to and from one level.
  public struct Rate: Hashable, Sendable, Encodable {
    public var read: Double
    /// A write counts once, though a store reads its line first.
    public var write: Double

    public init(read: Double, write: Double) { (self.read, self.write) = (read, write) }
  }

  /// 10^9 floating-point operations a second of a core, of multiply-adds on registers.
  public var gflopsPerCore: Double
  /// Of a core.
  public var level2: Rate
  /// Of a core.
  public var level3: Rate
  /// Of a core whose neighbours are idle.
  public var memory: Rate
  /// Of all cores of a NUMA node together.
  public var memoryPerNode: Rate

  public init(gflopsPerCore: Double, level2: Rate, level3: Rate, memory: Rate, memoryPerNode: Rate) {
    (self.gflopsPerCore, self.level2, self.level3) = (gflopsPerCore, level2, level3)
    (self.memory, self.memoryPerNode) = (memory, memoryPerNode)
  }

  /// Round figures of a server core of 2023 (Zen 4), for reports that must not take the time to measure.
  public static func typical(_ instructionSet: InstructionSet) -> MachineFigures {
    MachineFigures(
      gflopsPerCore: instructionSet.floatLanes >= 8 ? 115 : 29, level2: Rate(read: 100, write: 60),
      level3: Rate(read: 60, write: 25), memory: Rate(read: 20, write: 10), memoryPerNode: Rate(read: 60, write: 30))
  }

  /// Measured on this machine within some two seconds.
  public static func measured(_ instructionSet: InstructionSet) -> MachineFigures {
    let all = max(1, Machine.current.defaultWorkerCount)
    let alone = BandwidthMeasurement(instructionSet: instructionSet, workers: 1)
    let together = all == 1 ? alone : BandwidthMeasurement(instructionSet: instructionSet, workers: all)
    func rate(_ measurement: BandwidthMeasurement?, _ level: MemoryLevel) -> Rate {
      Rate(
        read: measurement?.gigabytesPerSecond(.read, in: level, streams: false) ?? 0,
        write: measurement?.gigabytesPerSecond(.fill, in: level, streams: false) ?? 0)
    }
    let nodes = Double(max(1, Set(Machine.current.cores.map(\.numaNode)).count))
    let memory = rate(together, .memory)
    return MachineFigures(
      gflopsPerCore: PeakMeasurement.multiplyAdd(instructionSet, workers: all) / Double(all),
      level2: rate(alone, .level2), level3: rate(alone, .level3), memory: rate(alone, .memory),
      memoryPerNode: Rate(read: memory.read / nodes, write: memory.write / nodes))
  }
}
