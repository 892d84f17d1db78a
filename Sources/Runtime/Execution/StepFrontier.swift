/// What one worker knows of a run: which steps are done, and in which of them there is nothing left to claim. It picks the
/// step that the worker takes tasks of: the first that has all it waits for behind it and may have unclaimed tasks.
///
/// **Why a task sees what it reads, and overwrites nothing that is still read.** A worker runs tasks of a step only after it
/// has itself seen each of the step's predecessors done: those within the window by their bit, all others because they come
/// before ``first``. It sees a step done by reading the full count of its tasks, which acquires. The count is reached by
/// additions that release what their worker's tasks did, each on top of the one before, so that a full count releases
/// them all. Hence all accesses of a predecessor's tasks happen before those of this task; and as happening before is
/// transitive, so do those of the predecessors' predecessors, which ``StepOrder/precedes(_:_:)`` counts on. Claims need no
/// order: they decide who runs a task, and nothing else.
///
/// **Why a run ends.** The first step that isn't done waits for none that isn't. So a worker that finds no task to claim
/// anywhere has at least one step before it whose tasks are all claimed; those who claimed them wait for nothing but,
/// at the begin of the commit, readers of the parameters.
struct StepFrontier {
  /// How many steps from the first unfinished one on it looks at.
  private let width: Int
  /// All steps before this one are done.
  private(set) var first = 0
  /// Bit k stands for the step k places behind the first. Those seen done.
  private var finished: UInt64 = 0
  /// Those without unclaimed tasks, done or not.
  private var exhausted: UInt64 = 0

  /// - Parameter isSerial: whether each step begins only when the one before is done.
  init(isSerial: Bool) { width = isSerial ? 1 : StepOrder.window }

  /// The step to take tasks of next; nil if none of those that are ready has any, for all that the worker knows.
  @inline(__always)
  mutating func nextStep(_ progress: StepProgress) -> Int? {
    let count = min(width, progress.stepCount - first)
    var open = ~exhausted & (~0 >> UInt64(StepOrder.window - count))
    while open != 0 {
      let place = open.trailingZeroBitCount
      open &= open - 1
      let step = first + place
      // Of the window, the steps before this one that aren't done, the nearest in the highest bit.
      let unfinished = place == 0 ? 0 : ~finished << UInt64(StepOrder.window - place)
      guard progress.predecessors[step] & unfinished == 0 else { continue }
      guard progress.isFinished(step) else { return step }
      finished |= 1 << UInt64(place)
      exhausted |= 1 << UInt64(place)
    }
    return nil
  }

  /// There is nothing to claim any more in a step.
  @inline(__always)
  mutating func leave(_ step: Int) { exhausted |= 1 << UInt64(step - first) }

  /// Looks whether steps without unclaimed tasks are done by now.
  /// - Returns: whether any is of which that wasn't known.
  @inline(__always)
  mutating func look(_ progress: StepProgress) -> Bool {
    var pending = exhausted & ~finished
    var isNews = finished & 1 != 0
    while pending != 0 {
      let place = pending.trailingZeroBitCount
      pending &= pending - 1
      if progress.isFinished(first + place) {
        finished |= 1 << UInt64(place)
        isNews = true
      }
    }
    let passed = (~finished).trailingZeroBitCount
    first += passed
    finished >>= UInt64(passed)
    exhausted >>= UInt64(passed)
    return isNews
  }
}
