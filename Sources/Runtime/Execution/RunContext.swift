import Dispatch
import Synchronization
import TesseraGraph

/// Everything that one run at a time needs and that is made before the first: arena, scratch, operand addresses,
/// counters. A session keeps those that are idle; concurrent runs have one each.
final class RunContext: TeamWork, @unchecked Sendable {
  let plan: ExecutionPlan
  /// The team of runs outside a scope.
  let team: Team
  /// Holds this context, and outlives its runs.
  private unowned(unsafe) let session: Session
  let progress: StepProgress
  private let arena: AlignedMemory
  private let scratch: AlignedMemory
  private let scratchStride: Int
  /// Memory of outputs that the caller doesn't take in memory of its own.
  private let ownOutputs: [AlignedMemory]
  private let operands: UnsafeMutablePointer<UnsafeMutableRawBufferPointer>
  private let operandCount: Int
  /// Where each step's operands begin.
  private let firstOperand: [Int]
  /// Operands whose address a run's bindings decide.
  private let boundOperands: [(operand: Int, isInput: Bool, index: Int, byteOffset: Int)]
  /// What calls the run off, if anything does.
  private var cancellation: Cancellation?
  private var deadline: ContinuousClock.Instant?

  /// When each step was finished, in nanoseconds, if the run is profiled: written by the worker that finished it.
  private let finishedAt: UnsafeMutablePointer<UInt64>
  private var startedAt: UInt64?
  /// Takes down every task, if anybody asks.
  private var recorder: TaskRecorder?

  private let hasFailed = Atomic<Bool>(false)
  private let failure = Lock<TesseraError?>(nil)
  /// Set by the worker that runs the step, read after the team is done.
  private let hasPublished = Atomic<Bool>(false)
  private let hasBegunCommit = Atomic<Bool>(false)

  /// - Throws: ``TesseraError/Code/systemFailure`` if there is no memory for the temporary values.
  init(_ session: Session) throws(TesseraError) {
    let graph = session.program.graph
    plan = session.program.plan
    team = Team(workerCount: session.workers)
    self.session = session
    progress = StepProgress(session.partition, plan.order)
    let places = session.partition.places
    /// Each worker uses its own part.
    func shared(_ byteCount: Int, for name: String) throws(TesseraError) -> AlignedMemory {
      try AlignedMemory(
        allocating: byteCount, for: name, homes: PageHomes(cutting: byteCount, among: places), binder: session.pages)
    }
    arena = try AlignedMemory(
      allocating: plan.arenaByteCount, for: "temporary values", homes: session.partition.arenaHomes,
      binder: session.pages)
    scratchStride = MemoryPlan.aligned(plan.scratchByteCount)
    scratch = try shared(scratchStride * session.workers, for: "scratch")
    var ownOutputs: [AlignedMemory] = []
    for output in graph.outputs {
      ownOutputs.append(try shared(graph.type(of: output.value).byteCount, for: "output \(output.name)"))
    }
    self.ownOutputs = ownOutputs

    operandCount = plan.steps.reduce(0) { $0 + $1.operands.count }
    operands = .allocate(capacity: max(1, operandCount))
    var firstOperand: [Int] = []
    var boundOperands: [(operand: Int, isInput: Bool, index: Int, byteOffset: Int)] = []
    var next = 0
    for step in plan.steps {
      firstOperand.append(next)
      for operand in step.operands {
        let base: UnsafeMutableRawPointer
        switch operand.location {
        case .arena(let offset): base = arena.base + offset
        case .prepared(let offset): base = session.prepared.memory.base + offset
        case .constant(let index): base = session.program.constants[index].base
        case .variable(let index): base = session.variables[index].memory.base
        case .input(let index):
          base = arena.base
          boundOperands.append((next, true, index, operand.byteOffset))
        case .output(let index):
          base = ownOutputs[index].base
          boundOperands.append((next, false, index, operand.byteOffset))
        }
        (operands + next).initialize(
          to: UnsafeMutableRawBufferPointer(start: base + operand.byteOffset, count: operand.spanByteCount))
        next += 1
      }
    }
    self.firstOperand = firstOperand
    self.boundOperands = boundOperands
    finishedAt = .allocate(capacity: max(1, plan.steps.count))
    finishedAt.initialize(repeating: 0, count: plan.steps.count)
  }

  deinit {
    operands.deallocate()
    finishedAt.deallocate()
  }

  /// All that it allocated for values.
  var memory: [AlignedMemory] { [arena, scratch] + ownOutputs }

  // MARK: Before a run

  /// Makes everything ready: all inputs are bound.
  func begin(_ call: RunCall, workers: Int, isProfiled: Bool, recorder: TaskRecorder?, isSkipped: (Int) -> Bool) {
    (cancellation, deadline) = (call.cancellation, call.deadline)
    self.recorder = recorder
    startedAt = isProfiled ? DispatchTime.now().uptimeNanoseconds : nil
    if isProfiled { finishedAt.update(repeating: 0, count: plan.steps.count) }
    for (operand, isInput, index, byteOffset) in boundOperands {
      let count = operands[operand].count
      let base =
        isInput
        ? UnsafeMutableRawPointer(mutating: call.inputs[index]?.baseAddress)
        : call.outputs[index]?.baseAddress ?? ownOutputs[index].base
      operands[operand] = UnsafeMutableRawBufferPointer(start: (base ?? arena.base) + byteOffset, count: count)
    }
    hasFailed.store(false, ordering: .relaxed)
    hasPublished.store(false, ordering: .relaxed)
    hasBegunCommit.store(false, ordering: .relaxed)
    progress.reset(workers: workers, isSkipped: isSkipped)
  }

  // MARK: The run

  /// Walks the plan as one of its workers. Any worker can finish the run alone; one that comes late finds little left
  /// to do.
  func work(as worker: Int, on processor: Int?) {
    let outer = CurrentThread.beginWork()
    let floatingPoint = FloatingPointState()
    var binding: ThreadBinding? = nil
    walk(as: worker, on: processor, &binding)
    _ = consume binding
    _ = consume floatingPoint
    CurrentThread.endWork(outer)
  }

  private func walk(as worker: Int, on processor: Int?, _ binding: inout ThreadBinding?) {
    // Times of steps side by side couldn't be told apart.
    var frontier = StepFrontier(isSerial: startedAt != nil)
    var hasFoundWork = false
    while frontier.first < progress.stepCount {
      if let step = frontier.nextStep(progress) {
        guard runTasks(of: step, as: worker, on: processor, &hasFoundWork, &binding) else { return }
        frontier.leave(step)
        _ = frontier.look(progress)
      } else if !frontier.look(progress) {
        var wait = Wait()
        repeat {
          if hasFailed.load(ordering: .relaxed) { return }
          wait.pause()
        } while !frontier.look(progress)
      }
    }
  }

  /// Runs what there is to claim of a step, of the worker's own share first; false if the run has failed.
  @inline(__always)
  private func runTasks(
    of step: Int, as worker: Int, on processor: Int?, _ hasFoundWork: inout Bool, _ binding: inout ThreadBinding?
  ) -> Bool {
    let ownScratch = UnsafeMutableRawBufferPointer(
      start: scratch.base + worker * scratchStride, count: plan.scratchByteCount)
    var finished = 0
    var share = worker
    for _ in 0..<progress.workers {
      while let task = progress.claim(step, share: share) {
        if hasFailed.load(ordering: .relaxed) { return false }
        if !hasFoundWork {
          hasFoundWork = true
          if let processor, session.binds(onto: processor) { binding = ThreadBinding(toProcessor: processor) }
        }
        // While this task isn't done, the commit hasn't begun.
        if finished == 0, isStopped(before: step) { return false }
        let start = recorder == nil ? 0 : TaskRecorder.now
        guard perform(step, task, ownScratch) else { return false }
        recorder?.record(step: step, task: task, worker: worker, start: start)
        finished += 1
      }
      share = share + 1 == progress.workers ? 0 : share + 1
    }
    if finished > 0, progress.finish(step, tasks: finished), startedAt != nil {
      finishedAt[step] = DispatchTime.now().uptimeNanoseconds
    }
    return true
  }

  /// Whether the run was called off. What has begun to write parameters goes on.
  @inline(__always)
  private func isStopped(before step: Int) -> Bool {
    guard cancellation != nil || deadline != nil, step < plan.firstCommitStep else { return false }
    if let cancellation, cancellation.isCancelled {
      fail(
        TesseraError(.cancelled, at: plan.steps[step].name, expected: "a run to its end", found: "a cancellation"),
        at: plan.steps[step].name)
      return true
    }
    if let deadline, deadline <= .now {
      fail(
        TesseraError(
          .deadlineExceeded, at: plan.steps[step].name, expected: "a run that ends in time",
          found: "a deadline that has passed"), at: plan.steps[step].name)
      return true
    }
    return false
  }

  /// Runs one task; false if it failed.
  @inline(__always)
  private func perform(
    _ step: Int, _ task: Int, _ scratch: UnsafeMutableRawBufferPointer
  ) -> Bool {
    switch plan.steps[step].work {
    case .kernel(let run):
      let arguments = KernelArguments(
        operands: operands + firstOperand[step], inputCount: plan.steps[step].inputCount,
        outputCount: plan.steps[step].outputCount, scratch: scratch)
      do {
        try run(task..<task + 1, arguments)
      } catch {
        fail(error, at: plan.steps[step].name)
        return false
      }
    case .publishPrepared:
      session.prepared.publish(session)
      hasPublished.store(true, ordering: .relaxed)
    case .beginCommit:
      session.store.lock.lockExclusive()
      hasBegunCommit.store(true, ordering: .relaxed)
    }
    return true
  }

  private func fail(_ error: any Error, at name: String) {
    let typed =
      error as? TesseraError
      ?? TesseraError(
        .kernelFailed, at: name, expected: "a kernel that succeeds", found: "\(error)",
        underlying: error)
    failure.withLock { if $0 == nil { $0 = typed } }
    hasFailed.store(true, ordering: .releasing)
  }

  // MARK: After a run

  func end() { cancellation = nil }

  var didPublish: Bool { hasPublished.load(ordering: .relaxed) }
  var didBeginCommit: Bool { hasBegunCommit.load(ordering: .relaxed) }

  /// Of a run that was profiled.
  func profile() -> RunProfile {
    RunProfile(
      plan, finishedAt: Array(UnsafeBufferPointer(start: finishedAt, count: plan.steps.count)),
      startedAt: startedAt ?? 0)
  }

  /// The first error of the run, if there was one.
  func takeFailure() -> TesseraError? {
    guard hasFailed.load(ordering: .acquiring) else { return nil }
    return failure.withLock { failure in
      defer { failure = nil }
      return failure
    }
  }
}
