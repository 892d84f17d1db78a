import Synchronization

/// Who has claimed which tasks of which step, and how many are done: the only thing that workers share while they run.
///
/// The walk of each step is cut into contiguous shares, one a worker. A worker takes tasks of its own share first, then
/// helps the others, then goes on to another step that is ready (``StepFrontier``). It never waits for a worker to arrive,
/// only for tasks that another has claimed.
final class StepProgress: @unchecked Sendable {
  // Every counter has a cache line pair of its own: 128 bytes keep the adjacent-line prefetcher from coupling two of
  // them.
  private static let stride = 128 / MemoryLayout<Atomic<Int>>.stride

  private let counters: UnsafeMutablePointer<Atomic<Int>>
  private let counterCount: Int
  private let taskCounts: [Int]
  private let maximumWorkers: Int
  /// Of this run.
  private(set) var workers: Int

  /// A ``TaskWalk`` without memory of its own: workers that look it up must not count references to it.
  private struct Walk {
    var channelParts: Int, pixelParts: Int
    var firstStart: Int, startCount: Int
  }
  private let walks: [Walk]
  private let bandStarts: UnsafeMutablePointer<Int>
  let stepCount: Int
  /// As in ``StepOrder/predecessors``.
  let predecessors: UnsafeMutablePointer<UInt64>

  init(_ partition: PartitionPlan, _ order: StepOrder) {
    stepCount = order.predecessors.count
    predecessors = .allocate(capacity: max(1, stepCount))
    predecessors.initialize(from: order.predecessors, count: stepCount)
    taskCounts = partition.walks.map(\.taskCount)
    maximumWorkers = partition.places.count
    workers = maximumWorkers
    var starts: [Int] = []
    walks = partition.walks.map { walk in
      defer { starts += walk.bandStarts }
      return Walk(
        channelParts: walk.channelParts, pixelParts: walk.pixelParts, firstStart: starts.count,
        startCount: walk.bandStarts.count)
    }
    bandStarts = .allocate(capacity: max(1, starts.count))
    bandStarts.initialize(from: starts, count: starts.count)
    counterCount = taskCounts.count * (maximumWorkers + 1) * Self.stride
    counters = .allocate(capacity: max(1, counterCount))
    for index in 0..<counterCount { (counters + index).initialize(to: Atomic(0)) }
  }

  deinit {
    counters.deinitialize(count: counterCount)
    counters.deallocate()
    bandStarts.deallocate()
    predecessors.deallocate()
  }

  /// Before a run: nothing is claimed, nothing done. Steps that `isSkipped` names are done from the start.
  func reset(workers: Int, isSkipped: (Int) -> Bool) {
    self.workers = workers
    for step in taskCounts.indices {
      let skipped = isSkipped(step)
      for share in 0..<workers {
        let range = self.range(step, share)
        cursor(step, share).pointee.store(
          skipped ? range.upperBound : range.lowerBound, ordering: .relaxed)
      }
      done(step).pointee.store(skipped ? taskCounts[step] : 0, ordering: .relaxed)
    }
  }

  /// Claims one task of a share; nil if all are claimed.
  @inline(__always)
  func claim(_ step: Int, share: Int) -> Int? {
    let end = range(step, share).upperBound
    let cursor = cursor(step, share)
    // Looking first keeps late helpers from writing to a line that others read.
    guard cursor.pointee.load(ordering: .relaxed) < end else { return nil }
    let position = cursor.pointee.wrappingAdd(1, ordering: .relaxed).oldValue
    return position < end ? task(step, at: position) : nil
  }

  @inline(__always)
  private func task(_ step: Int, at position: Int) -> Int {
    let walk = walks[step]
    // In one band the walk is the order of the numbers.
    guard walk.startCount > 2 else { return position }
    return TaskWalk.task(
      at: position, channelParts: walk.channelParts, pixelParts: walk.pixelParts,
      bandStarts: UnsafeBufferPointer(start: bandStarts + walk.firstStart, count: walk.startCount))
  }

  /// What the tasks wrote is visible to whoever sees the step finished.
  /// - Returns: whether these were the step's last.
  @inline(__always)
  func finish(_ step: Int, tasks: Int) -> Bool {
    let done = done(step).pointee.wrappingAdd(tasks, ordering: .acquiringAndReleasing).newValue
    return done == taskCounts[step]
  }

  @inline(__always)
  func isFinished(_ step: Int) -> Bool {
    done(step).pointee.load(ordering: .acquiring) == taskCounts[step]
  }

  @inline(__always)
  private func range(_ step: Int, _ share: Int) -> Range<Int> {
    TaskWalk.positions(taskCounts[step], of: share..<share + 1, workers)
  }

  @inline(__always)
  private func cursor(_ step: Int, _ share: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    counters + (step * (maximumWorkers + 1) + share) * Self.stride
  }

  @inline(__always)
  private func done(_ step: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    cursor(step, maximumWorkers)
  }
}
