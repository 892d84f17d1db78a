import CTesseraShims

/// The cores that runs of this process have at this moment, so that concurrent runs share the machine instead of
/// competing for it, and no core has two bound workers.
enum CoreLeases {
  private struct Table {
    /// One bit a core of ``Machine/current``, up to 1,024.
    var taken: InlineArray<16, UInt64> = .init(repeating: 0)
    /// Runs under way, whether they got cores or not.
    var runs = 0
  }

  private static let table = Lock(Table())
  private static let hasSeveralNodes = Machine.current.numaNodes.count > 1

  /// Leases up to `count` free cores, but no more than the run's part of the machine: where as many runs are under way as
  /// there are cores, each gets one at most.
  static func lease(_ count: Int) -> Lease {
    let cores = Machine.current.cores
    let available = min(cores.count, 1024)
    let processor = Int(tessera_current_processor())
    let here = cores.prefix(available).firstIndex { $0.processor == processor }
    return table.withLock { table in
      table.runs += 1
      let share = max(1, available / table.runs)
      var lease = Lease()
      func take(_ core: Int) {
        let bit: UInt64 = 1 << UInt64(core & 63)
        guard table.taken[core >> 6] & bit == 0 else { return }
        table.taken[core >> 6] |= bit
        lease.bits[core >> 6] |= bit
        lease.count += 1
      }
      if let here {
        take(here)
        // A run of a whole machine of several nodes has each worker on the node that has its part of memory.
        if lease.count == 1, !hasSeveralNodes || min(count, share) < available { lease.callersCore = here }
      }
      for core in 0..<available where lease.count < min(count, share) { take(core) }
      return lease
    }
  }

  static func release(_ lease: Lease) {
    table.withLock { table in
      table.runs -= 1
      for word in table.taken.indices { table.taken[word] &= ~lease.bits[word] }
    }
  }

  /// Cores of one run.
  struct Lease: Sendable {
    fileprivate var bits: InlineArray<16, UInt64> = .init(repeating: 0)
    fileprivate(set) var count = 0
    /// The core on which the caller is already.
    fileprivate var callersCore: Int?

    /// How many workers may share the run, of `wanted`: one a core. More workers than the machine has cores, asked for on
    /// purpose, are let be where the run has them all.
    func workers(of wanted: Int) -> Int {
      count >= min(wanted, Machine.current.cores.count) ? wanted : max(1, count)
    }

    /// The processor for a worker; nil beyond the last core. Worker 0, the caller, stays where it is, and the others find
    /// themselves on the same cores from run to run, beside what they have in cache.
    func processor(for worker: Int) -> Int? {
      if worker == 0, let callersCore { return Machine.current.cores[callersCore].processor }
      var left = worker - (callersCore == nil ? 0 : 1)
      for word in bits.indices {
        var rest = bits[word]
        if let callersCore, callersCore >> 6 == word { rest &= ~(1 << UInt64(callersCore & 63)) }
        while rest != 0 {
          if left == 0 { return Machine.current.cores[(word << 6) + rest.trailingZeroBitCount].processor }
          left -= 1
          rest &= rest - 1
        }
      }
      return nil
    }
  }
}
