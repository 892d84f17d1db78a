import CTesseraShims

/// Whether the workers of a run bind to the cores that it has leased.
public enum WorkerBinding: Sendable {
  /// Where it pays: in runs with several workers, and in short ones (an estimated millisecond or less) only workers that
  /// aren't on their core already.
  case automatic
  /// Workers go where the system puts them.
  case never
  /// Every worker of every run that has a core.
  case always
}

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
