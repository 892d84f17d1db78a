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

/// Binds a thread to a processor for the length of a run, and puts back exactly the mask that it had.
///
/// A binding outlives the call that made it, on pool threads and on the caller, and is inherited by threads made
/// meanwhile: whoever binds restores on every way out. The system is asked directly, since hwloc allocates at each call.
struct ThreadBinding: ~Copyable {
  /// One bit a processor, up to 4,096.
  private typealias Mask = InlineArray<64, UInt64>
  private let saved: Mask

  /// Takes the calling thread's mask down, to put it back in the end whoever binds it: nil where the system doesn't tell.
  init?() {
    guard let mask = Self.currentMask() else { return nil }
    saved = mask
  }

  /// Binds the calling thread, or returns nil where the system refuses or isn't Linux: then the run goes on unbound.
  init?(toProcessor processor: Int) {
    guard let mask = Self.currentMask(), Self.bind(thread: 0, toProcessor: processor) else { return nil }
    saved = mask
  }

  private static func currentMask() -> Mask? {
    var mask = Mask(repeating: 0)
    let isKnown = withWords(&mask) { tessera_get_thread_processors($0, $1) >= 0 }
    if !isKnown { RuntimeLog.bindingRefused }
    return isKnown ? mask : nil
  }

  /// - Parameter thread: the system's number of a thread, which may be asleep and then wakes there; 0: the calling one.
  static func bind(thread: Int32, toProcessor processor: Int) -> Bool {
    var target = Mask(repeating: 0)
    guard target.indices.contains(processor >> 6) else { return false }
    target[processor >> 6] = 1 << UInt64(processor & 63)
    let isBound = withWords(&target) { tessera_set_thread_processors(thread, $0, $1) == 0 }
    if !isBound { RuntimeLog.bindingRefused }
    return isBound
  }

  deinit {
    var mask = saved
    _ = Self.withWords(&mask) { tessera_set_thread_processors(0, $0, $1) }
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
