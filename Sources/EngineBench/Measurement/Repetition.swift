/// How often something is measured: window after window, until their spread is small or the time is over.
struct Repetition: Sendable {
  /// Seconds of a window, in which as many calls are made as there is time for.
  var window: Double
  /// So many are always measured.
  var minimumWindows = 5
  /// Enough is measured when the median window is slower than the best by this share or less.
  var spread = 0.02
  /// Seconds for all windows.
  var limit: Double

  /// - Parameter mean: measures one window, and returns the mean seconds of a call.
  func measure(_ mean: () throws -> Double) rethrows -> Windows {
    var means: [Double] = []
    let start = ContinuousClock.now
    while true {
      means.append(try mean())
      if let end = end([means], since: start) { return Windows(means, end) }
    }
  }

  /// Why it is enough, if it is: of several things measured in turn, as many windows of each.
  func end(_ means: [[Double]], since start: ContinuousClock.Instant) -> Windows.End? {
    if Interruption.isRequested { return .interrupted }
    guard means.allSatisfy({ $0.count >= minimumWindows }) else { return nil }
    if means.allSatisfy({ Windows.spread($0) <= spread }) { return .spread }
    return (ContinuousClock.now - start) / .seconds(1) >= limit ? .time : nil
  }
}

/// Mean seconds of a call in each of several windows.
struct Windows {
  /// Why there are no more of them.
  enum End: String, Encodable {
    /// The spread is within its bound.
    case spread
    case time
    case interrupted
  }

  /// In ascending order; at least one.
  let means: [Double]
  let end: End

  init(_ means: [Double], _ end: End) { (self.means, self.end) = (means.sorted(), end) }

  /// Others can only slow a call down: of all windows the best is nearest to what it takes.
  var best: Double { means.first ?? .nan }

  /// The median window.
  var median: Double { means.isEmpty ? .nan : means[means.count / 2] }

  /// How much slower than the best the median window is, as a share of it: what a difference between two measurements has
  /// to exceed to be one.
  var spread: Double { Self.spread(means) }

  static func spread(_ means: [Double]) -> Double {
    let sorted = means.sorted()
    guard let best = sorted.first, best > 0 else { return .nan }
    return sorted[sorted.count / 2] / best - 1
  }
}
