import Dispatch
import Foundation
import Synchronization
import Tessera
import TesseraRuntime

#if canImport(Glibc)
  import Glibc
#endif

/// Ctrl-C, or SIGTERM: what measures ends early with what it has.
enum Interruption {
  /// The signal that came first; 0: none.
  private static let signal = Atomic<Int32>(0)

  /// Whether to end early: loops that measure ask between calls.
  static var isRequested: Bool { signal.load(ordering: .relaxed) != 0 }

  /// - Throws: ``TesseraError/Code/cancelled`` once a signal came: between one result and the next.
  static func check() throws(TesseraError) {
    guard !isRequested else {
      throw TesseraError(.cancelled, at: "engine-bench", expected: "to come to the end", found: "an interruption")
    }
  }

  static var status: ExitStatus { signal.load(ordering: .relaxed) == SIGTERM ? .terminated : .interrupted }

  /// Seconds for the work to come to an end by itself.
  private static let grace = 1.0

  /// Watches for signals until the process ends.
  /// - Parameter cutOff: called on another thread if the work hasn't ended within a second of the first signal, and at the
  ///   second one; it ends the process.
  static func watch(_ cutOff: @escaping @Sendable () -> Void) {
    let queue = DispatchQueue(label: "tessera.engine-bench.signals")
    let sources = [SIGINT, SIGTERM].map { number in
      // Without this the signal would end the process before its source hears of it.
      Foundation.signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler {
        let isFirst = signal.compareExchange(expected: 0, desired: number, ordering: .relaxed).exchanged
        if isFirst {
          queue.asyncAfter(deadline: .now() + grace, execute: cutOff)
        } else {
          cutOff()
        }
      }
      source.resume()
      return source
    }
    watched.withLock { $0 += sources }
  }

  /// Sources live as long as somebody holds them.
  private static let watched = Lock<[any DispatchSourceSignal]>([])
}
