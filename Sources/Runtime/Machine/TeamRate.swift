import Dispatch

/// How much a team of bound workers gets done in a time.
enum TeamRate {
  /// The best rate of several runs, in 10^9 a second of what `body` returns the amount of; 0 where there is no memory
  /// for the amounts.
  static func best(
    workers: Int, runs: Int,
    _ body: @escaping @Sendable (_ worker: Int, _ sink: UnsafeMutablePointer<Float>) -> Double
  ) -> Double {
    guard let amounts = try? AlignedMemory(allocating: workers * AlignedMemory.alignment, for: "rates") else {
      return 0
    }
    var best = 0.0
    for _ in 0..<runs {
      let seconds = seconds {
        Team.perform(workers: workers) { worker, processor in
          let binding = processor.flatMap { ThreadBinding(toProcessor: $0) }
          let line = amounts.base + worker * AlignedMemory.alignment
          let amount = body(worker, (line + 64).assumingMemoryBound(to: Float.self))
          line.storeBytes(of: amount, as: Double.self)
          _ = consume binding
        }
      }
      let amount = (0..<workers).reduce(0.0) {
        $0 + (amounts.base + $1 * AlignedMemory.alignment).load(as: Double.self)
      }
      best = max(best, amount / seconds * 1e-9)
    }
    return best
  }

  /// How long a call takes; more than nothing.
  static func seconds(_ call: () -> Void) -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    call()
    return Double(max(1, DispatchTime.now().uptimeNanoseconds - start)) * 1e-9
  }
}
