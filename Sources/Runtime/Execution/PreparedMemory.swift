import Synchronization
import TesseraGraph

/// What follows from parameters alone (packed weights), kept between runs and shared by all runs of a session. It is
/// done again only where a parameter was written since.
final class PreparedMemory: @unchecked Sendable {
  let memory: AlignedMemory
  /// Whoever prepares holds it; another thread may give it back.
  private let preparing = ReadWriteLock()
  /// Sum of the versions of the variables behind each step's result, as of its last preparation. Versions only grow, so
  /// equal sums mean equal versions. Written by who prepares.
  private var versions: [UInt64]
  /// The same over all steps, for the quick look.
  private let total = Atomic<UInt64>(.max)

  init(_ plan: ExecutionPlan, on places: WorkerPlaces, _ pages: PageBinder) throws(TesseraError) {
    memory = try AlignedMemory(
      allocating: plan.preparedByteCount, for: "prepared weights",
      homes: PageHomes(spreading: plan.preparedByteCount, over: places.nodes.map(\.node)), binder: pages)
    versions = Array(repeating: .max, count: plan.prepareStepCount)
  }

  /// What a run has to prepare.
  enum State {
    case fresh
    /// The caller now holds the right to prepare, until ``publish(_:)`` or ``abandon()``.
    case stale
  }

  /// Called with the store held, so that no version changes before the run ends.
  func begin(_ session: Session) -> State {
    guard !versions.isEmpty, total.load(ordering: .acquiring) != currentTotal(session) else {
      return .fresh
    }
    preparing.lockExclusive()
    if total.load(ordering: .acquiring) == currentTotal(session) {
      preparing.unlockExclusive()
      return .fresh
    }
    return .stale
  }

  /// Whether a step's result is still good. Asked by who prepares.
  func isFresh(step: Int, _ session: Session) -> Bool {
    guard let variables = session.program.plan.steps[step].preparedFrom else { return false }
    return versions[step] == version(variables, session)
  }

  func publish(_ session: Session) {
    for step in versions.indices {
      if let variables = session.program.plan.steps[step].preparedFrom {
        versions[step] = version(variables, session)
      }
    }
    total.store(currentTotal(session), ordering: .releasing)
    preparing.unlockExclusive()
  }

  func abandon() { preparing.unlockExclusive() }

  private func version(_ variables: [Int], _ session: Session) -> UInt64 {
    var sum: UInt64 = 0
    for index in variables { sum &+= session.variables[index].version }
    return sum
  }

  private func currentTotal(_ session: Session) -> UInt64 {
    var sum: UInt64 = 0
    for index in session.program.preparedVariables { sum &+= session.variables[index].version }
    return sum
  }
}
