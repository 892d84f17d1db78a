import CTesseraShims
import Dispatch
import TesseraKernels

/// The cores that runs of this process have at this moment, so that concurrent runs share the machine instead of
/// competing for it, and no core has two bound workers.
///
/// A run waits for its cores, but never for longer than its patience: whoever has them may itself be waiting for the run. Then
/// it goes on with what is free, or unbound on its caller.
enum CoreLeases {
  /// One that waits. What it is given is the table's lock's; each lease is signaled once.
  private final class Waiter: @unchecked Sendable {
    let semaphore = DispatchSemaphore(value: 0)
    var cores: CoreTable.Lease?
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

    /// Wakes those who may go in.
    mutating func letIn() {
      while let (number, cores) = table.enterNext() {
        waiters[number].cores = cores
        waiters[number].semaphore.signal()
      }
    }
  }

  private static let state = Lock(State())
  private static let hasSeveralNodes = Machine.current.numaNodes.count > 1

  /// Leases up to `count` cores, but no more than the run's part of the machine.
  /// - Parameters:
  ///   - byteCount: of the run's own memory.
  ///   - patience: seconds that it may wait.
  static func lease(_ count: Int, byteCount: Int = 0, patience: Double = 0) -> Lease {
    let demand = CoreTable.Demand(cores: count, byteCount: byteCount)
    var here = here
    var cores = CoreTable.Lease()
    let waiting: (number: Int, waiter: Waiter)? = state.withLock { state in
      if patience > 0, !state.table.admits(demand) { return state.wait(demand) }
      cores = state.table.enter(demand, here: here)
      return nil
    }
    if let (number, waiter) = waiting {
      let isLate = waiter.semaphore.wait(timeout: .now() + patience) == .timedOut
      // A thread that slept may wake elsewhere.
      here = self.here
      state.withLock { state in
        if let given = waiter.cores {
          cores = given
          waiter.cores = nil
          if isLate { waiter.semaphore.wait() }
        } else {
          state.table.giveUp(number)
          cores = state.table.enter(demand, here: here)
          state.letIn()
        }
        state.idle.append(number)
      }
    }
    // A run of a whole machine of several nodes has each worker on the node that has its part of memory.
    let isWhole = cores.count == Machine.current.cores.count
    let callersCore = hasSeveralNodes && isWhole ? nil : here.flatMap { cores.contains($0) ? $0 : nil }
    return Lease(cores: cores, callersCore: callersCore)
  }

  static func release(_ lease: Lease) {
    state.withLock { state in
      state.table.leave(lease.cores)
      state.letIn()
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
    fileprivate var callersCore: Int?

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
