import Dispatch
import Foundation
import Histogram
import TesseraKernels
import TesseraRuntime

/// Requests that arrive whether or not those before are done (an open loop), served by a number of clients in the order in
/// which they arrive.
///
/// A latency counts from the moment at which a request was due, not from when a client had time for it: a server that
/// stalls is charged for everybody who waited meanwhile (Tene's "coordinated omission").
struct OfferedLoad {
  /// Seconds from the start at which requests are due, increasing.
  let arrivals: [Double]
  /// Seconds during which requests arrive.
  let seconds: Double
  /// Seconds after which a request counts as missed.
  let deadline: Double

  /// A Poisson process: gaps are independent and exponentially distributed.
  /// - Parameter rate: requests a second, on average.
  init(rate: Double, seconds: Double, deadline: Double, seed: UInt64) {
    var random = PhiloxGenerator(seed: seed)
    var arrivals: [Double] = []
    var time = 0.0
    while true {
      // The argument is in (0, 1], so that its logarithm is finite.
      time -= log(1 - random.uniform()) / rate
      if time >= seconds { break }
      arrivals.append(time)
    }
    (self.arrivals, self.seconds, self.deadline) = (arrivals, seconds, deadline)
  }

  /// What became of the requests.
  struct Outcome: Sendable {
    /// From due to done, in nanoseconds with three digits; of those never begun how long they had waited at the end.
    var latencies = LatencyHistogram.ofLatencies
    /// From due to begun.
    var waits = LatencyHistogram.ofLatencies
    /// From begun to done.
    var services = LatencyHistogram.ofLatencies
    var completed = 0
    /// Done after the deadline.
    var late = 0
    /// Not begun when the last request's deadline had passed.
    var unserved = 0
    /// From the start to the last one's end.
    var seconds = 0.0

    /// Requests that were not done in time.
    var missed: Int { late + unserved }

    fileprivate mutating func add(_ other: Outcome) {
      latencies.add(other.latencies)
      waits.add(other.waits)
      services.add(other.services)
      completed += other.completed
      late += other.late
      unserved += other.unserved
      seconds = max(seconds, other.seconds)
    }
  }

  /// Offers the requests to clients, each of which has a thread of its own.
  /// - Parameter call: serves one request; gets the client's number.
  func offer(clients: Int, _ call: @escaping @Sendable (_ client: Int) throws -> Void) throws -> Outcome {
    let next = Lock(0)
    // All threads are there when the first request is due.
    let start = DispatchTime.now().uptimeNanoseconds + 20_000_000
    let parts = try ClientThreads.run(clients) { client in
      var outcome = Outcome()
      while !Interruption.isRequested {
        let index = next.withLock { index in
          defer { index += 1 }
          return index
        }
        guard index < arrivals.count else { break }
        let due = start + UInt64(arrivals[index] * 1e9)
        Self.sleep(until: due)
        let begin = max(due, DispatchTime.now().uptimeNanoseconds)
        guard Double(begin - start) * 1e-9 < seconds + deadline else {
          outcome.unserved += 1
          outcome.latencies.record(begin - due)
          continue
        }
        try call(client)
        let end = DispatchTime.now().uptimeNanoseconds
        outcome.latencies.record(end - due)
        outcome.waits.record(begin - due)
        outcome.services.record(end - begin)
        outcome.completed += 1
        if Double(end - due) * 1e-9 > deadline { outcome.late += 1 }
        outcome.seconds = Double(end - start) * 1e-9
      }
      return outcome
    }
    return parts.reduce(into: Outcome()) { $0.add($1) }
  }

  private static func sleep(until due: UInt64) {
    let now = DispatchTime.now().uptimeNanoseconds
    if due > now { Thread.sleep(forTimeInterval: Double(due - now) * 1e-9) }
  }
}
