/// Several things measured in turn, a window each: whatever disturbs the machine for a while disturbs all of them alike.
struct TimingInTurn {
  /// One for each of them, in their order.
  let windows: [Windows]

  /// Rounds end as the windows of a ``Repetition`` do: when all spreads are small, with the time, or on Ctrl-C.
  /// - Parameters:
  ///   - repetition: its limit is for all rounds.
  ///   - progress: called before each window with the number of rounds that are done.
  ///   - calls: each makes one window, of about as many seconds as it gets, and returns the mean seconds of a call.
  init(
    _ repetition: Repetition, progress: (_ rounds: Int) -> Void = { _ in },
    _ calls: [(_ window: Double) throws -> Double]
  ) throws {
    var means = [[Double]](repeating: [], count: calls.count)
    let start = ContinuousClock.now
    var end: Windows.End?
    var rounds = 0
    while end == nil {
      for (index, call) in calls.enumerated() {
        progress(rounds)
        means[index].append(try call(repetition.window))
      }
      rounds += 1
      end = repetition.end(means, since: start)
    }
    windows = means.map { Windows($0, end ?? .time) }
  }

  /// The mean of as many calls as a window of so many seconds holds, one at least, after one that warms up: it finds the
  /// caches as another has left them.
  static func mean(window: Double, _ call: () throws -> Void) throws -> Double {
    try call()
    let start = ContinuousClock.now
    var (count, elapsed) = (0, 0.0)
    repeat {
      try call()
      count += 1
      elapsed = (ContinuousClock.now - start) / .seconds(1)
    } while elapsed < window
    return elapsed / Double(count)
  }
}
