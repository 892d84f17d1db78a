import CTesseraShims
import Dispatch
import Synchronization

/// Runs a function a number of times, if it can on as many threads, and returns when all calls have returned.
///
/// A host gives one to a ``Session`` to have runs on threads of its own. It needn't run calls at the same time, nor on the
/// calling thread: a run ends whichever way it does it. Each call is given its number.
public typealias Executor = @Sendable (_ count: Int, _ body: @escaping @Sendable (Int) -> Void) -> Void

/// What a team does together.
protocol TeamWork: AnyObject, Sendable {
  /// Called once by every worker that comes; each of them can finish the work alone.
  /// - Parameter processor: to bind to once there is something to do; nil: don't.
  func work(as worker: Int, on processor: Int?)
}

/// The threads that share a run, or all runs of a scope: the one that asks, worker 0, and its helpers.
///
/// Nothing waits for a helper to arrive. One that comes finds the work open and enters it, or closed; the caller waits
/// only for those that are inside.
final class Team: @unchecked Sendable {
  /// The caller included.
  let workerCount: Int
  /// What is worked on: number of the run, how many workers it takes (0: closed), how many helpers are inside.
  private let state = Atomic<UInt64>(0)
  private let hasEnded = Atomic<Bool>(false)
  private let arrivals = Atomic<Int>(0)
  // Written by the caller while no helper is inside.
  private var work: (any TeamWork)?
  private var lease = CoreLeases.Lease()
  private var binds = false
  // Touched by the caller alone: whether it had its turn, and in a scope what it does then.
  private var hasHadTurn = false
  private var body: (() -> Void)?
  /// Where a scope's helpers sleep.
  private let beds: [Bed]

  private final class Bed: Sendable {
    let semaphore = DispatchSemaphore(value: 0)
    let isTaken = Atomic<Bool>(false)
  }

  private init(workerCount: Int, isScope: Bool) {
    self.workerCount = workerCount
    beds = isScope ? (0..<workerCount).map { _ in Bed() } : []
  }

  /// A team for single runs.
  convenience init(workerCount: Int) { self.init(workerCount: workerCount, isScope: false) }

  // MARK: One run

  /// Does work by one `concurrentPerform`, or the host's executor.
  func perform(_ work: any TeamWork, workers: Int, lease: CoreLeases.Lease, binds: Bool, executor: Executor?) {
    // Helpers leave after one piece of work.
    hasEnded.store(true, ordering: .relaxed)
    arrivals.store(0, ordering: .relaxed)
    open(work, workers: workers, lease: lease, binds: binds)
    hasHadTurn = false
    CurrentThread.beginLeading(self)
    if let executor {
      executor(workers) { _ in self.takePart() }
    } else {
      apply(workers)
    }
    // The caller needn't have had a turn.
    takeTurn()
    CurrentThread.endLeading()
  }

  /// As `concurrentPerform`, which allocates twice for its closure.
  private func apply(_ count: Int) {
    tessera_apply(count, Unmanaged.passUnretained(self).toOpaque()) { team, _ in
      guard let team else { return }
      Unmanaged<Team>.fromOpaque(team).takeUnretainedValue().takePart()
    }
  }

  // MARK: A scope

  /// Calls `body` on the calling thread, with a team at hand for all runs that it makes.
  static func withTeam<Result, Failure: Error>(of count: Int, _ body: () throws(Failure) -> Result)
    throws(Failure) -> Result
  {
    guard count > 1, CurrentThread.team == nil, !CurrentThread.isWorking else { return try body() }
    let team = Team(workerCount: count, isScope: true)
    var outcome: Swift.Result<Result, Failure>?
    withoutActuallyEscaping(body) { body in
      team.body = { outcome = Swift.Result(catching: body) }
      CurrentThread.beginLeading(team)
      team.apply(count)
      // If helpers took all turns, they saw that, and have left.
      team.takeTurn()
      CurrentThread.endLeading()
    }
    guard let outcome else { preconditionFailure("the caller has had its turn") }
    return try outcome.get()
  }

  /// Does work with the helpers that are there; the calling thread leads the team.
  func perform(_ work: any TeamWork, workers: Int, lease: CoreLeases.Lease, binds: Bool) {
    open(work, workers: workers, lease: lease, binds: binds)
    for helper in 1..<workers { wake(beds[helper]) }
    work.work(as: 0, on: processor(for: 0))
    close()
  }

  /// Whether the thread that leads the team may have it do something: in a scope, between runs.
  var isFree: Bool { !beds.isEmpty && work == nil }

  private func end() {
    hasEnded.store(true, ordering: .sequentiallyConsistent)
    for bed in beds { wake(bed) }
  }

  private func wake(_ bed: Bed) {
    if bed.isTaken.load(ordering: .sequentiallyConsistent),
      bed.isTaken.exchange(false, ordering: .sequentiallyConsistent)
    {
      bed.semaphore.signal()
    }
  }

  // MARK: Helpers

  /// One iteration, on whichever thread it is.
  private func takePart() {
    if CurrentThread.leads(self) {
      takeTurn()
    } else if !CurrentThread.isWorking {
      help()
    }
  }

  /// The caller's part, once.
  private func takeTurn() {
    guard !hasHadTurn else { return }
    hasHadTurn = true
    if let body {
      body()
      self.body = nil
      end()
    } else {
      work?.work(as: 0, on: processor(for: 0))
      // Within the turn, where helpers that are about to leave are waited for awake: the system's pool would have the caller
      // sleep.
      close()
    }
  }

  private func help() {
    let worker = arrivals.wrappingAdd(1, ordering: .relaxed).newValue
    // As many helpers as turns: none is left for the caller, who waits for them. A scope then goes on without a team.
    guard worker < workerCount else { return end() }
    var last: UInt32 = 0
    while true {
      if let run = enter(as: worker, after: last) {
        work?.work(as: worker, on: processor(for: worker))
        last = run
        state.wrappingSubtract(1, ordering: .acquiringAndReleasing)
      }
      if hasEnded.load(ordering: .acquiring) { return }
      rest(worker, after: last)
    }
  }

  /// - Returns: the run's number, if there is one open that takes this worker and that it hasn't been in.
  private func enter(as worker: Int, after last: UInt32) -> UInt32? {
    var current = State(state.load(ordering: .acquiring))
    while current.run != last, worker < current.workers {
      let (exchanged, original) = state.weakCompareExchange(
        expected: current.bits, desired: current.bits + 1, ordering: .acquiringAndReleasing)
      if exchanged { return current.run }
      current = State(original)
    }
    return nil
  }

  /// Returns when there is something to do, or the team has ended: spins for a while, then sleeps.
  private func rest(_ worker: Int, after last: UInt32) {
    func isWanted() -> Bool {
      let current = State(state.load(ordering: .sequentiallyConsistent))
      return current.run != last && worker < current.workers || hasEnded.load(ordering: .sequentiallyConsistent)
    }
    let end = DispatchTime.now().uptimeNanoseconds + Self.spinNanoseconds
    repeat {
      if isWanted() { return }
      tessera_pause()
    } while DispatchTime.now().uptimeNanoseconds < end
    let bed = beds[worker]
    bed.isTaken.store(true, ordering: .sequentiallyConsistent)
    // Whoever takes the flag down gets up, or wakes the sleeper.
    if isWanted(), bed.isTaken.exchange(false, ordering: .sequentiallyConsistent) { return }
    bed.semaphore.wait()
  }

  private static let spinNanoseconds: UInt64 = 200_000

  // MARK: State

  private func processor(for worker: Int) -> Int? { binds ? lease.processor(for: worker) : nil }

  private func open(_ work: any TeamWork, workers: Int, lease: CoreLeases.Lease, binds: Bool) {
    self.work = work
    self.lease = lease
    self.binds = binds
    let run = State(state.load(ordering: .relaxed)).run &+ 1
    state.store(State(run: run, workers: workers).bits, ordering: .sequentiallyConsistent)
  }

  /// No one enters any more; waits for those inside.
  private func close() {
    var current = State(state.bitwiseAnd(~State.workersMask, ordering: .acquiringAndReleasing).newValue)
    var wait = Wait()
    while current.inside > 0 {
      wait.pause()
      current = State(state.load(ordering: .acquiring))
    }
    work = nil
  }

  private struct State {
    static let workersMask: UInt64 = 0xFFFF_0000
    let bits: UInt64
    init(_ bits: UInt64) { self.bits = bits }
    init(run: UInt32, workers: Int) { bits = UInt64(run) << 32 | UInt64(workers) << 16 }
    var run: UInt32 { UInt32(truncatingIfNeeded: bits >> 32) }
    var workers: Int { Int(bits >> 16 & 0xFFFF) }
    var inside: Int { Int(bits & 0xFFFF) }
  }
}

extension Team {
  /// Calls `body` once for every worker, on as many threads as the system gives: for what isn't a program.
  /// - Parameter body: gets the processor that its thread may bind to.
  static func perform(workers: Int, _ body: @escaping @Sendable (_ worker: Int, _ processor: Int?) -> Void) {
    CoreLeases.withLease(workers) { lease in
      let calls = Calls(count: workers, body)
      let count = lease.workers(of: workers)
      guard count > 1, CurrentThread.team == nil, !CurrentThread.isWorking else { return calls.work(as: 0, on: nil) }
      Team(workerCount: count).perform(calls, workers: count, lease: lease, binds: true, executor: nil)
    }
  }

  private final class Calls: TeamWork {
    private let count: Int
    private let next = Atomic<Int>(0)
    private let body: @Sendable (Int, Int?) -> Void

    init(count: Int, _ body: @escaping @Sendable (Int, Int?) -> Void) {
      self.count = count
      self.body = body
    }

    func work(as worker: Int, on processor: Int?) {
      while true {
        let call = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard call < count else { return }
        body(call, processor)
      }
    }
  }
}
