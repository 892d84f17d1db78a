import Dispatch

/// The workers of a run.
enum Team {
  /// Calls `body` once for every worker, on as many threads as the system gives, and returns when all calls have
  /// returned. The calls may run one after the other: nothing may wait for another worker to arrive.
  ///
  /// Workers that get a core of their own are told its processor, to bind to once they have work. Without binding the
  /// kernel was seen to stack both workers of a run on one processor.
  static func perform(workers: Int, _ body: @Sendable (_ worker: Int, _ processor: Int?) -> Void) {
    let cores = Machine.current.cores
    // One worker runs where its caller runs.
    guard workers > 1 else { return body(0, nil) }
    let lease = CoreLeases.lease(min(workers, cores.count))
    defer { CoreLeases.release(lease) }
    // All cores are busy with other runs: the caller does the work alone.
    guard lease.count > 0 else { return body(0, nil) }
    // Other runs hold the rest of the cores: no more workers than cores left. Workers beyond the machine's cores, asked
    // for on purpose, run unbound.
    let count = lease.count < min(workers, cores.count) ? lease.count : workers
    guard count > 1 else { return body(0, lease.core(0).map { cores[$0].processor }) }
    DispatchQueue.concurrentPerform(iterations: count) { worker in
      body(worker, lease.core(worker).map { cores[$0].processor })
    }
  }
}
