import CTesseraShims

/// Binds the calling thread to a processor for the length of a run, and puts back exactly the mask that it had.
///
/// A binding outlives the call that made it, on pool threads and on the caller, and is inherited by threads made
/// meanwhile: whoever binds restores on every way out. The system is asked directly, since hwloc allocates at each call.
struct ThreadBinding: ~Copyable {
  /// One bit a processor, up to 4,096.
  private typealias Mask = InlineArray<64, UInt64>
  private var saved = Mask(repeating: 0)

  /// Binds, or returns nil where the system refuses or isn't Linux: then the run goes on unbound.
  init?(toProcessor processor: Int) {
    var target = Mask(repeating: 0)
    guard target.indices.contains(processor >> 6) else { return nil }
    target[processor >> 6] = 1 << UInt64(processor & 63)
    var mask = Mask(repeating: 0)
    let isSaved = Self.withWords(&mask) { tessera_get_thread_processors($0, $1) >= 0 }
    saved = mask
    guard isSaved, Self.withWords(&target, { tessera_set_thread_processors($0, $1) == 0 }) else {
      RuntimeLog.bindingRefused
      return nil
    }
  }

  deinit {
    var mask = saved
    _ = Self.withWords(&mask) { tessera_set_thread_processors($0, $1) }
  }

  private static func withWords<Result>(
    _ mask: inout Mask, _ body: (UnsafeMutablePointer<UInt64>, Int) -> Result
  ) -> Result {
    let count = mask.count
    return withUnsafeMutablePointer(to: &mask) {
      $0.withMemoryRebound(to: UInt64.self, capacity: count) { body($0, count) }
    }
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
