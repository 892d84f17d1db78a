import Dispatch
import Foundation
import Histogram
import Tessera
import TesseraRuntime

/// How long a call takes that several clients make at once, each from a thread of its own and the next as soon as it has
/// the one before: in several windows after a warm-up.
struct ClientTiming {
  /// Means of all clients together.
  let windows: Windows
  /// In the window in which most calls were made.
  let callsPerSecond: Double
  /// Of single calls, in nanoseconds with three digits, up to an hour.
  let latencies: Histogram<UInt64>

  private static var noLatencies: Histogram<UInt64> { Histogram(highestTrackableValue: 3_600_000_000_000) }

  /// - Parameters:
  ///   - repetition: how many windows there are, and how long.
  ///   - call: gets the client's number.
  init(clients: Int, _ repetition: Repetition, _ call: @escaping @Sendable (Int) throws -> Void) throws {
    for client in 0..<clients { for _ in 0..<2 { try call(client) } }
    var (callsPerSecond, latencies) = (0.0, Self.noLatencies)
    windows = try repetition.measure {
      let calls = try Self.together(clients) { client in
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
    var latencies = ClientTiming.noLatencies
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

  /// Calls a function for every client at the same time: a single one here, several on threads of their own.
  private static func together<Result: Sendable>(
    _ clients: Int, _ body: @escaping @Sendable (Int) throws -> Result
  ) throws -> [Result] {
    guard clients > 1 else { return [try body(0)] }
    let results = Lock<[Swift.Result<Result, any Error>]>([])
    let group = DispatchGroup()
    for client in 0..<clients {
      group.enter()
      Thread {
        let result = Swift.Result { try body(client) }
        results.withLock { $0.append(result) }
        group.leave()
      }.start()
    }
    group.wait()
    return try results.withLock { $0 }.map { try $0.get() }
  }
}
