import CHwloc

/// Binds the calling thread to a core for the length of a run, and puts back exactly the mask that it had.
///
/// A binding outlives the call that made it, on pool threads and on the caller, and is inherited by threads made
/// meanwhile: whoever binds restores on every way out.
struct ThreadBinding: ~Copyable {
  private let topology: Topology
  private let saved: ProcessorSet

  /// Binds, or returns nil where the system refuses: then the run goes on unbound.
  init?(toProcessor processor: Int) {
    guard let topology = Topology.current, let saved = ProcessorSet(), let target = ProcessorSet()
    else { return nil }
    let flags = Int32(HWLOC_CPUBIND_THREAD.rawValue)
    hwloc_bitmap_only(target.bitmap, UInt32(processor))
    guard hwloc_get_cpubind(topology.handle, saved.bitmap, flags) == 0,
      hwloc_set_cpubind(topology.handle, target.bitmap, flags) == 0
    else {
      RuntimeLog.bindingRefused
      return nil
    }
    self.topology = topology
    self.saved = saved
  }

  deinit {
    _ = hwloc_set_cpubind(
      topology.handle, saved.bitmap, Int32(HWLOC_CPUBIND_THREAD.rawValue))
  }
}

/// The cores that runs of this process are bound to at this moment, so that no core has two bound workers.
enum CoreLeases {
  /// One bit a core of ``Machine/current``, up to 1,024.
  private static let taken = Lock<InlineArray<16, UInt64>>(.init(repeating: 0))

  /// Leases up to `count` free cores, lowest first.
  static func lease(_ count: Int) -> Lease {
    let available = min(Machine.current.cores.count, 1024)
    return taken.withLock { taken in
      var lease = Lease(bits: .init(repeating: 0), count: 0)
      var core = 0
      while core < available && lease.count < count {
        let bit: UInt64 = 1 << UInt64(core & 63)
        if taken[core >> 6] & bit == 0 {
          taken[core >> 6] |= bit
          lease.bits[core >> 6] |= bit
          lease.count += 1
        }
        core += 1
      }
      return lease
    }
  }

  static func release(_ lease: Lease) {
    taken.withLock { taken in
      for word in taken.indices { taken[word] &= ~lease.bits[word] }
    }
  }

  /// Cores held by one run.
  struct Lease: Sendable {
    fileprivate var bits: InlineArray<16, UInt64>
    fileprivate(set) var count: Int

    /// The core index of the i-th leased core; nil beyond the last.
    func core(_ i: Int) -> Int? {
      var left = i
      for word in bits.indices {
        var rest = bits[word]
        while rest != 0 {
          if left == 0 { return (word << 6) + rest.trailingZeroBitCount }
          left -= 1
          rest &= rest - 1
        }
      }
      return nil
    }
  }
}
