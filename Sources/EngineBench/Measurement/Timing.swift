import Dispatch

/// How long a call takes, measured as the engines we compare with are measured: after a warm-up, the best mean of five
/// windows.
struct Timing {
  /// The best of five window means.
  let bestSeconds: Double
  /// Over single calls.
  let medianSeconds: Double

  /// - Parameters:
  ///   - window: seconds of each of the five windows.
  init(window: Double, _ call: () throws -> Void) throws {
    try self.init(window: window) {
      let start = DispatchTime.now().uptimeNanoseconds
      try call()
      return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    }
  }

  /// The same of calls that say themselves how many seconds of theirs count.
  init(window: Double, _ call: () throws -> Double) throws {
    _ = try call()
    _ = try call()
    var best = Double.infinity
    var calls: [Double] = []
    for _ in 0..<5 {
      var count = 0
      var elapsed = 0.0
      while elapsed < window {
        let seconds = try call()
        calls.append(seconds)
        elapsed += seconds
        count += 1
      }
      best = min(best, elapsed / Double(count))
    }
    calls.sort()
    bestSeconds = best
    medianSeconds = calls[calls.count / 2]
  }
}
