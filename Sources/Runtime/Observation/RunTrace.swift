public import TesseraGraph

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Who computed what in one run, and when: each task of each node on the worker that it ran on.
public struct RunTrace: Sendable {
  /// One task.
  public struct Task: Sendable {
    /// The node's name, or that of one of the runtime's own steps.
    public let node: String
    /// The kernel's name, in the grammar operation.pass.type.isa.tile.
    public let kernel: String
    /// Which of the step's tasks.
    public let task: Int
    /// 0 is the caller.
    public let worker: Int
    /// Seconds since the first task began.
    public let start: Double
    public let seconds: Double
    /// Of the plan: tasks of one step are independent.
    let step: Int
  }

  /// By worker, each worker's in the order in which it ran them.
  public let tasks: [Task]
  /// How many workers the run could have had.
  public let workers: Int

  init(_ plan: ExecutionPlan, _ recorder: TaskRecorder, workers: Int) {
    var tasks: [Task] = []
    let first =
      plan.steps.indices.flatMap { recorder.records(ofStep: $0).filter { $0.worker >= 0 }.map(\.start) }.min() ?? 0
    for (index, step) in plan.steps.enumerated() {
      for (task, record) in recorder.records(ofStep: index).enumerated() where record.worker >= 0 {
        tasks.append(
          Task(
            node: step.name, kernel: step.kernelName, task: task, worker: record.worker,
            start: Double(record.start - first) * 1e-9, seconds: Double(record.end - record.start) * 1e-9, step: index))
      }
    }
    self.tasks = tasks.sorted { ($0.worker, $0.start, $0.step, $0.task) < ($1.worker, $1.start, $1.step, $1.task) }
    self.workers = workers
  }

  // MARK: Chrome's format

  /// The trace as `chrome://tracing` and Perfetto read it: a row a worker, with a slice for what it computes of a step in one
  /// go, and in it one for each task. Times are microseconds.
  ///
  /// Source: Google, "Trace Event Format" (2016).
  public var json: String {
    var events = [Event(name: "process_name", ph: "M", tid: 0, args: Event.Arguments(name: "tessera"))]
    for worker in 0..<workers {
      events.append(Event(name: "thread_name", ph: "M", tid: worker, args: Event.Arguments(name: "worker \(worker)")))
    }
    var rest = tasks[...]
    while let first = rest.first {
      let group = rest.prefix { $0.worker == first.worker && $0.step == first.step }
      rest = rest.dropFirst(group.count)
      let end = group.reduce(0) { max($0, $1.start + $1.seconds) }
      let arguments = Event.Arguments(kernel: first.kernel, tasks: group.count)
      events.append(Event(first.node, first, seconds: end - first.start, arguments))
      for task in group {
        events.append(Event("task \(task.task)", task, seconds: task.seconds, nil))
      }
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let lines = events.compactMap { try? String(decoding: encoder.encode($0), as: UTF8.self) }
    return "{\"traceEvents\":[\n" + lines.joined(separator: ",\n") + "\n]}\n"
  }

  /// Writes ``json`` to a file.
  /// - Throws: ``TesseraError/Code/invalidFile`` if it can't be written.
  public func write(to path: String) throws(TesseraError) {
    do {
      try Data(json.utf8).write(to: URL(fileURLWithPath: path))
    } catch {
      throw TesseraError(
        .invalidFile, at: path, expected: "a place that can be written to", found: "none", underlying: error)
    }
  }

  private struct Event: Encodable {
    struct Arguments: Encodable {
      var name: String?
      var kernel: String?
      var tasks: Int?
    }

    let name: String
    let ph: String
    let pid = 1
    let tid: Int
    var ts: Double?
    var dur: Double?
    let args: Arguments?

    init(name: String, ph: String, tid: Int, args: Arguments) {
      (self.name, self.ph, self.tid, self.args) = (name, ph, tid, args)
    }

    /// To the nanosecond.
    private static func microseconds(_ seconds: Double) -> Double { (seconds * 1e9).rounded() / 1e3 }

    /// What begins with a task.
    init(_ name: String, _ task: Task, seconds: Double, _ arguments: Arguments?) {
      (self.name, ph, tid, args) = (name, "X", task.worker, arguments)
      ts = Self.microseconds(task.start)
      dur = Self.microseconds(seconds)
    }
  }
}
