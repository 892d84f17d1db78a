import CTesseraShims

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Waiting for a task that another worker has claimed: at most about 50 us of spinning, for tasks are short, then
/// giving the processor away, for the other may have been descheduled.
struct Wait {
  // A pause takes some 40 cycles on the processors at hand: 1,024 of them are 10 to 50 us.
  private static let spins = 1024
  private var count = 0

  @inline(__always)
  mutating func pause() {
    count += 1
    if count < Self.spins {
      tessera_pause()
    } else if count < 4 * Self.spins {
      sched_yield()
    } else {
      usleep(50)
    }
  }
}
