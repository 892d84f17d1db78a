import Dispatch

/// Who computed which task of a run, and when. Every task is computed once, so that each has a place of its own and workers
/// share nothing. Memory is the owner's, who frees it after the run.
struct TaskRecorder: @unchecked Sendable {
  struct Record {
    var worker = -1
    /// Nanoseconds of ``now``.
    var start: UInt64 = 0
    var end: UInt64 = 0
  }

  private let records: UnsafeMutableBufferPointer<Record>
  private let firstOfStep: UnsafeMutableBufferPointer<Int>

  init(_ plan: ExecutionPlan) {
    firstOfStep = .allocate(capacity: plan.steps.count + 1)
    var first = 0
    for (index, step) in plan.steps.enumerated() {
      firstOfStep.initializeElement(at: index, to: first)
      first += step.taskCount
    }
    firstOfStep.initializeElement(at: plan.steps.count, to: first)
    records = .allocate(capacity: first)
    records.initialize(repeating: Record())
  }

  func deallocate() {
    records.deallocate()
    firstOfStep.deallocate()
  }

  static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }

  /// Said by the worker that has just computed the task.
  func record(step: Int, task: Int, worker: Int, start: UInt64) {
    records[firstOfStep[step] + task] = Record(worker: worker, start: start, end: Self.now)
  }

  /// Of all tasks of a step; those that nobody computed have worker -1.
  func records(ofStep step: Int) -> Slice<UnsafeMutableBufferPointer<Record>> {
    records[firstOfStep[step]..<firstOfStep[step + 1]]
  }
}
