import CTesseraShims
import Dispatch
import TesseraKernels

/// The cores that runs of this process have at this moment, so that concurrent runs share the machine instead of
/// competing for it, and no core has two bound workers.
///
/// A run waits for its cores, but never for longer than its patience: whoever has them may itself be waiting for the run. Then
/// it goes on with what is free, or unbound on its caller.
enum CoreLeases {
  /// One that waits. Its variables are the table's lock's; each lease is signaled once.
  private final class Waiter: @unchecked Sendable {
    let semaphore = DispatchSemaphore(value: 0)
    /// What it was given.
    var cores: CoreTable.Lease?
    /// To be put on the first of its cores; nil: not to be moved.
    var thread: Int32?
  }

  private struct State {
    var table = CoreTable(
      coreCount: Machine.current.cores.count,
      cacheByteCount: Machine.current.caches.level3Bytes * Set(Machine.current.cores.map(\.level3)).count)
    /// By number. Those that no one waits with are kept for the next.
    var waiters: [Waiter] = []
    var idle: [Int] = []

    mutating func wait(_ demand: CoreTable.Demand) -> (number: Int, waiter: Waiter) {
      if idle.isEmpty {
        idle.append(waiters.count)
        waiters.append(Waiter())
      }
      let number = idle.removeLast()
      table.wait(number, demand)
      return (number, waiters[number])
    }

    /// Lets a run in at once.
    mutating func enter(_ demand: CoreTable.Demand, here: Int?) -> Lease {
      let cores = table.enter(demand, here: here)
      return Lease(cores, here: here, hasCompany: table.active > 1)
    }

    /// Lets the next in.
    /// - Returns: what wakes it, and where it is to wake; nil if nobody may go in.
    mutating func letIn() -> (semaphore: DispatchSemaphore, thread: Int32?, processor: Int?)? {
      guard let (number, cores) = table.enterNext() else { return nil }
      let waiter = waiters[number]
      waiter.cores = cores
      return (waiter.semaphore, waiter.thread, Lease(cores, here: nil, hasCompany: false).processor(for: 0))
    }
  }

  private static let state = Lock(State())
  private static let hasSeveralNodes = Machine.current.numaNodes.count > 1

  /// Calls `body` with up to `count` cores, but no more than the run's part of the machine.
  /// - Parameters:
  ///   - byteCount: of the run's own memory.
  ///   - patience: seconds that it may wait.
  ///   - binds: whether the calling thread, if it waited, is on its core from the moment it wakes until the end. Left to
  ///     itself it may wake on another's, and wait there for as long as the system's time slice.
  static func withLease<Result, Failure: Error>(
    _ count: Int, byteCount: Int = 0, patience: Double = 0, binds: Bool = false,
    _ body: (Lease) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let demand = CoreTable.Demand(cores: count, byteCount: byteCount)
    if let lease = enter(demand, waits: patience > 0) {
      defer { release(lease) }
      return try body(lease)
    }
    // Takes the mask down before anyone moves the thread.
    let binding = binds ? ThreadBinding() : nil
    let lease = wait(demand, patience: patience, thread: binding == nil ? nil : tessera_current_thread())
    defer {
      release(lease)
      withExtendedLifetime(binding) {}
    }
    return try body(lease)
  }

  /// - Returns: nil if the run doesn't get in without waiting, and may wait.
  private static func enter(_ demand: CoreTable.Demand, waits: Bool) -> Lease? {
    let here = here
    return state.withLock { state in
      waits && !state.table.admits(demand) ? nil : state.enter(demand, here: here)
    }
  }

  /// - Parameter thread: the calling one, to be put on the first core; nil: not to be moved.
  private static func wait(_ demand: CoreTable.Demand, patience: Double, thread: Int32?) -> Lease {
    let (number, waiter) = state.withLock { state in
      let (number, waiter) = state.wait(demand)
      waiter.thread = thread
      return (number, waiter)
    }
    // Meanwhile all may have left.
    letIn()
    let isLate = waiter.semaphore.wait(timeout: .now() + patience) == .timedOut
    let here = here
    let lease: Lease? = state.withLock { state in
      guard waiter.cores == nil else { return nil }
      state.table.giveUp(number)
      state.idle.append(number)
      return state.enter(demand, here: here)
    }
    if let lease {
      letIn()
      return lease
    }
    if isLate { waiter.semaphore.wait() }
    return state.withLock { state in
      defer {
        waiter.cores = nil
        state.idle.append(number)
      }
      return Lease(waiter.cores ?? .init(), here: here, hasCompany: state.table.active > 1)
    }
  }

  private static func release(_ lease: Lease) {
    state.withLock { $0.table.leave(lease.cores) }
    letIn()
  }

  /// Wakes those who may go in, without the lock that they need next.
  private static func letIn() {
    while let (semaphore, thread, processor) = state.withLock({ $0.letIn() }) {
      if let thread, let processor { _ = ThreadBinding.bind(thread: thread, toProcessor: processor) }
      semaphore.signal()
    }
  }

  /// The core that the calling thread is on; nil where the system doesn't tell, or the process may not use it.
  private static var here: Int? {
    let processor = Int(tessera_current_processor())
    return Machine.current.cores.prefix(CoreTable.maximumCores).firstIndex { $0.processor == processor }
  }

  /// Cores of one run.
  struct Lease: Sendable {
    fileprivate var cores = CoreTable.Lease()
    /// The core on which the caller is already.
    private var callersCore: Int?
    /// Whether other runs were under way when this one was let in.
    private(set) var hasCompany = false

    /// No core.
    init() {}

    /// - Parameter here: the core that the calling thread is on.
    fileprivate init(_ cores: CoreTable.Lease, here: Int?, hasCompany: Bool) {
      (self.cores, self.hasCompany) = (cores, hasCompany)
      // A run of a whole machine of several nodes has each worker on the node that has its part of memory.
      let isWhole = cores.count == Machine.current.cores.count
      callersCore = hasSeveralNodes && isWhole ? nil : here.flatMap { cores.contains($0) ? $0 : nil }
    }

    var count: Int { cores.count }

    /// How many workers may share the run, of `wanted`: one a core. More workers than the machine has cores, asked for on
    /// purpose, are let be where the run has them all.
    func workers(of wanted: Int) -> Int {
      count >= min(wanted, Machine.current.cores.count) ? wanted : max(1, count)
    }

    /// The processor for a worker; nil beyond the last core. Worker 0, the caller, stays where it is, and the others find
    /// themselves on the same cores from run to run, beside what they have in cache.
    func processor(for worker: Int) -> Int? {
      if worker == 0, let callersCore { return Machine.current.cores[callersCore].processor }
      var left = worker - (callersCore == nil ? 0 : 1)
      for word in cores.bits.indices {
        var rest = cores.bits[word]
        if let callersCore, callersCore >> 6 == word { rest &= ~(1 << UInt64(callersCore & 63)) }
        while rest != 0 {
          if left == 0 { return Machine.current.cores[(word << 6) + rest.trailingZeroBitCount].processor }
          left -= 1
          rest &= rest - 1
        }
      }
      return nil
    }
  }
}
