import Dispatch
import Histogram
import Tessera

/// How long a call takes that several clients make at once, each from a thread of its own and the next as soon as it has
/// the one before: in several windows after a warm-up.
struct ClientTiming {
  /// Means of all clients together.
  let windows: Windows
  /// In the window in which most calls were made.
  let callsPerSecond: Double
  /// Of single calls.
  let latencies: LatencyHistogram

  /// - Parameters:
  ///   - repetition: how many windows there are, and how long.
  ///   - call: gets the client's number.
  init(clients: Int, _ repetition: Repetition, _ call: @escaping @Sendable (Int) throws -> Void) throws {
    for client in 0..<clients { for _ in 0..<2 { try call(client) } }
    var (callsPerSecond, latencies) = (0.0, LatencyHistogram.ofLatencies)
    windows = try repetition.measure {
      let calls = try ClientThreads.run(clients) { client in
        try Calls(window: repetition.window) { try call(client) }
      }
      callsPerSecond = max(callsPerSecond, calls.reduce(0) { $0 + $1.perSecond })
      for calls in calls { latencies.add(calls.latencies) }
      return calls.reduce(0) { $0 + $1.seconds } / Double(calls.reduce(0) { $0 + $1.latencies.totalCount })
    }
    (self.callsPerSecond, self.latencies) = (callsPerSecond, latencies)
  }

  /// The best window mean.
  var bestSeconds: Double { windows.best }

  /// Seconds that so many of a hundred calls took at most.
  func seconds(percentile: Double) -> Double { Double(latencies.valueAtPercentile(percentile)) * 1e-9 }

  /// What one client did in one window.
  private struct Calls {
    var latencies = LatencyHistogram.ofLatencies
    var seconds = 0.0
    /// The last call counts as far as it was within the window.
    let perSecond: Double

    init(window: Double, _ call: () throws -> Void) throws {
      let begin = DispatchTime.now().uptimeNanoseconds
      var (start, completed) = (begin, 0.0)
      let deadline = start + UInt64(window * 1e9)
      repeat {
        try call()
        let end = DispatchTime.now().uptimeNanoseconds
        latencies.record(end - start)
        seconds += Double(end - start) * 1e-9
        completed += end <= deadline ? 1 : Double(deadline - start) / Double(end - start)
        start = end
      } while start < deadline && !Interruption.isRequested
      // A window may have been cut off.
      perSecond = completed / (Double(min(start, deadline) - begin) * 1e-9)
    }
  }
}
