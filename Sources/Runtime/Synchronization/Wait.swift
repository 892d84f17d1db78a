import CTesseraShims
import Dispatch

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Waiting for a task that another worker has claimed: 50 us of spinning, for tasks are short, then giving the processor
/// away, for the other may have been descheduled.
struct Wait {
  private static let spinNanoseconds: UInt64 = 50_000
  private static let yields = 1000
  private let start = DispatchTime.now().uptimeNanoseconds
  private var yields = 0

  @inline(__always)
  mutating func pause() {
    if yields == 0, DispatchTime.now().uptimeNanoseconds - start < Self.spinNanoseconds { return tessera_pause() }
    yields += 1
    if yields < Self.yields { sched_yield() } else { usleep(50) }
  }
}
