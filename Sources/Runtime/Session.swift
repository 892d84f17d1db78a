import CTesseraShims
public import CoreMetrics
public import TesseraGraph

/// A program bound to a parameter store and to a number of workers: what is run.
///
/// Any number of threads may run one session, or several on one store, at once; each run has an arena of its own.
/// Results are bit-identical for any number of workers. In the steady state a run doesn't allocate.
public final class Session: Sendable {
  /// More workers than any machine has cores; a larger number is a mistake.
  public static let maximumWorkers = 4096

  /// What is run.
  public let program: Program
  /// Where its parameters live.
  public let store: ParameterStore
  /// How many threads share a run at most.
  public let workers: Int
  /// Whether they bind to cores; never with an executor.
  public let binding: WorkerBinding

  private let executor: Executor?
  private let metrics: RunMetrics?
  let variables: [StoredVariable]
  let prepared: PreparedMemory
  /// Who computes what, as long as all workers are there.
  let partition: PartitionPlan
  /// What puts memory on the nodes of those who use it.
  let pages: PageBinder
  private let idle = Lock<[RunContext]>([])
  private let idleCalls = Lock<[RunCall]>([])

  /// Binds a program. Variables that the store doesn't hold yet are added with their initial values.
  /// - Parameters:
  ///   - workers: nil: the environment's, or one a usable core. More than there are cores works, and is slower. Runs too
  ///     small to pay for waking a thread take fewer.
  ///   - executor: nil: the system's pool, by `concurrentPerform`.
  ///   - metrics: gets the counters `tessera.runs`, `tessera.run.failures`, `tessera.nodes` and `tessera.bytes`, and the
  ///     timer `tessera.run.duration`; nil: the process's, if it has one by now.
  /// - Throws: ``TesseraError/Code/shapeMismatch`` if the store has a variable of another type by a name of the
  ///   program's; ``TesseraError/Code/invalidAttribute`` for a number of workers below 1;
  ///   ``TesseraError/Code/systemFailure`` if the variables don't fit in memory;
  ///   ``TesseraError/Code/memoryLimitExceeded`` if so many workers take more than the program may.
  public convenience init(
    _ program: Program, store: ParameterStore, workers: Int? = nil, binding: WorkerBinding = .automatic,
    executor: Executor? = nil, metrics: (any MetricsFactory)? = nil
  ) throws(TesseraError) {
    try self.init(
      program, store: store, workers: workers, binding: binding, executor: executor, metrics: metrics,
      placedOn: .current)
  }

  /// - Parameters:
  ///   - machine: whose caches and nodes the shares follow; the cores are always those of this one.
  ///   - pages: what puts memory on nodes; nil: the system, where the machine is this one.
  package init(
    _ program: Program, store: ParameterStore, workers: Int?, binding: WorkerBinding = .automatic,
    executor: Executor? = nil, metrics: (any MetricsFactory)? = nil, placedOn machine: Machine,
    pages: PageBinder? = nil
  ) throws(TesseraError) {
    if let workers {
      guard (1...Self.maximumWorkers).contains(workers) else {
        throw TesseraError(
          .invalidAttribute, at: "workers", expected: "1 to \(Self.maximumWorkers)",
          found: "\(workers)")
      }
      self.workers = workers
    } else {
      self.workers = try EnvironmentSettings.workerCount()
    }
    if self.workers > Machine.current.cores.count { RuntimeLog.moreWorkersThanCores }
    try program.memoryUse(workers: self.workers).check(limit: program.memoryLimit)
    try store.add(program.graph)
    var variables: [StoredVariable] = []
    for read in program.graph.variables {
      guard let variable = store.stored(read.variable.name) else {
        throw TesseraError(
          .notFound, at: "parameter store", expected: "a variable", found: read.variable.name)
      }
      variables.append(variable)
    }
    self.program = program
    self.store = store
    self.binding = executor == nil ? binding : .never
    self.executor = executor
    self.metrics = RunMetrics(metrics ?? MetricsSystem.factory, program.plan)
    self.variables = variables
    self.pages = pages ?? (machine.isThisSystem ? .system : .none)
    partition = PartitionPlan(program.plan, machine: machine, workers: self.workers)
    prepared = try PreparedMemory(program.plan, on: partition.places, self.pages)
    idle.withLock { $0.reserveCapacity(16) }
    idleCalls.withLock { $0.reserveCapacity(16) }
    RuntimeLog.made(self)
  }

  // MARK: Running

  /// Runs the program on tensors.
  /// - Returns: every output by its name.
  /// - Throws: ``TesseraError`` for inputs that are missing, unknown or of another type, and for what a run can find
  ///   wrong: labels out of range, a loss that isn't finite, a kernel that throws, no memory for the temporary values of
  ///   the first run, a deadline, a cancellation. The parameters are then as before.
  public func run(
    _ inputs: [String: Tensor] = [:], deadline: ContinuousClock.Instant? = nil, cancellation: Cancellation? = nil
  ) throws(TesseraError) -> [String: Tensor] {
    for (name, tensor) in inputs {
      guard let input = program.graph.inputs.first(where: { $0.name == name }) else {
        throw TesseraError(
          .notFound, at: "inputs",
          expected: program.graph.inputs.map(\.name).joined(separator: ", "), found: name)
      }
      let type = program.graph.type(of: input.value)
      guard type == tensor.type else {
        throw TesseraError(
          type.element == tensor.type.element ? .shapeMismatch : .elementTypeMismatch,
          at: "input \(name)", expected: "\(type)", found: "\(tensor.type)")
      }
    }
    var outputs: [String: Tensor] = [:]
    for output in program.graph.outputs {
      outputs[output.name] = try Tensor(
        allocating: program.graph.type(of: output.value), for: "output \(output.name)")
    }
    try run { (call) throws(TesseraError) in
      // The dictionaries keep the tensors' memory alive until the run is over.
      for (name, tensor) in inputs {
        try call.setInput(name, UnsafeRawBufferPointer(tensor.storage.bytes))
      }
      for (name, tensor) in outputs { try call.setOutput(name, tensor.storage.bytes) }
      call.setDeadline(deadline)
      call.setCancellation(cancellation)
    }
    withExtendedLifetime(inputs) {}
    return outputs
  }

  /// Runs the program on the caller's own memory, without a copy.
  ///
  /// - Parameter bind: says where inputs are and where outputs go. That memory stays valid, and isn't otherwise
  ///   written, until this function returns. Outputs that aren't bound are computed and dropped.
  public func run(_ bind: (borrowing RunBindings) throws(TesseraError) -> Void)
    throws(TesseraError)
  {
    try run(isProfiled: false, recorder: nil, bind) { _ in }
  }

  /// The same, one step after the other and with the time of each taken: some 50 ns a step more.
  public func profile(_ bind: (borrowing RunBindings) throws(TesseraError) -> Void)
    throws(TesseraError) -> RunProfile
  {
    try run(isProfiled: true, recorder: nil, bind) { $0.profile() }
  }

  /// The same, with each task taken down: some 50 ns a task more.
  public func trace(_ bind: (borrowing RunBindings) throws(TesseraError) -> Void) throws(TesseraError) -> RunTrace {
    let recorder = TaskRecorder(program.plan)
    defer { recorder.deallocate() }
    return try run(isProfiled: false, recorder: recorder, bind) { _ in
      RunTrace(program.plan, recorder, workers: workers)
    }
  }

  private func run<Result>(
    isProfiled: Bool, recorder: TaskRecorder?, _ bind: (borrowing RunBindings) throws(TesseraError) -> Void,
    _ result: (RunContext) -> Result
  ) throws(TesseraError) -> Result {
    let start = metrics == nil ? 0 : TaskRecorder.now
    var hasFailed = true
    defer { metrics?.record(since: start, failed: hasFailed) }
    let call =
      idleCalls.withLock { $0.popLast() }
      ?? RunCall(inputCount: program.graph.inputs.count, outputCount: program.graph.outputs.count)
    defer {
      call.forget()
      idleCalls.withLock { $0.append(call) }
    }
    try bind(RunBindings(call: call, graph: program.graph))
    for (index, input) in program.graph.inputs.enumerated() where call.inputs[index] == nil {
      throw TesseraError(
        .notFound, at: "inputs", expected: "memory for input \(input.name)", found: "none")
    }
    let value: Result
    if program.isTraining {
      value = try store.writing.withLock { (_) throws(TesseraError) in
        try perform(call, isProfiled: isProfiled, recorder: recorder, result)
      }
    } else {
      value = try perform(call, isProfiled: isProfiled, recorder: recorder, result)
    }
    hasFailed = false
    return value
  }

  /// Runs the plan when its turn has come.
  private func perform<Result>(
    _ call: RunCall, isProfiled: Bool, recorder: TaskRecorder?, _ result: (RunContext) -> Result
  ) throws(TesseraError) -> Result {
    let scope = CurrentThread.team
    // Within a run its worker does this one, too.
    if CurrentThread.isWorking || scope?.isFree == false {
      return try perform(call, workers: 1, nil, isProfiled: isProfiled, recorder: recorder, result)
    }
    let limit = min(workers, scope?.workerCount ?? workers)
    let wanted =
      EnvironmentSettings.sharesSmallRuns ? limit : program.workers(atMost: limit, isAwake: scope != nil)
    // Nothing that another run waits for is held meanwhile, but for the right to make the next training step.
    return try CoreLeases.withLease(
      wanted, byteCount: program.plan.arenaByteCount, patience: patience(deadline: call.deadline),
      binds: binding != .never
    ) { (lease) throws(TesseraError) in
      try perform(call, workers: wanted, lease, isProfiled: isProfiled, recorder: recorder, result)
    }
  }

  /// Runs the plan in memory that the run before has left in the caches.
  /// - Parameter lease: nil for a run within another.
  private func perform<Result>(
    _ call: RunCall, workers wanted: Int, _ lease: CoreLeases.Lease?, isProfiled: Bool, recorder: TaskRecorder?,
    _ result: (RunContext) -> Result
  ) throws(TesseraError) -> Result {
    let context = try idleContext()
    defer {
      context.end()
      idle.withLock { $0.append(context) }
    }
    guard !program.isTraining else {
      // Only a step writes while it holds `writing`, so parameters are read without the lock until the commit takes it alone.
      defer {
        if context.didBeginCommit {
          for index in program.plan.updatedVariables { variables[index].bumpVersion() }
          store.lock.unlockExclusive()
        }
      }
      try perform(call, in: context, workers: wanted, lease, isProfiled: isProfiled, recorder: recorder)
      return result(context)
    }
    store.lock.lockShared()
    defer { store.lock.unlockShared() }
    try perform(call, in: context, workers: wanted, lease, isProfiled: isProfiled, recorder: recorder)
    return result(context)
  }

  /// One of the contexts that no run uses, or a new one.
  private func idleContext() throws(TesseraError) -> RunContext {
    if let context = idle.withLock({ $0.popLast() }) { return context }
    return try RunContext(self)
  }

  /// Runs the plan with a team, whose workers walk all steps together: that of the scope that the thread is in, or by
  /// one `concurrentPerform`.
  /// - Parameter lease: nil for a run within another.
  private func perform(
    _ call: RunCall, in context: RunContext, workers wanted: Int, _ lease: CoreLeases.Lease?, isProfiled: Bool,
    recorder: TaskRecorder?
  ) throws(TesseraError) {
    let state = prepared.begin(self)
    defer { if state == .stale && !context.didPublish { prepared.abandon() } }
    let count = lease?.workers(of: wanted) ?? 1
    context.begin(call, workers: count, isProfiled: isProfiled, recorder: recorder) { step in
      step < program.plan.prepareStepCount && (state == .fresh || prepared.isFresh(step: step, self))
    }
    if let lease, count > 1 {
      if let scope = CurrentThread.team {
        scope.perform(context, workers: count, lease: lease, binds: binding != .never)
      } else {
        context.team.perform(context, workers: count, lease: lease, binds: binding != .never, executor: executor)
      }
    } else {
      // One of several runs that stayed on another's core would keep that one from it.
      let binds = binding == .always || binding == .automatic && lease?.hasCompany == true
      context.work(as: 0, on: binds ? lease?.processor(for: 0) : nil)
    }
    if let failure = context.takeFailure() { throw failure }
  }

  /// Seconds that a run may wait for its turn: none where it is shorter than waking its thread is worth, and no longer than
  /// as many of its kind take as two clients a core may have ahead of them.
  private func patience(deadline: ContinuousClock.Instant?) -> Double {
    let estimate = program.plan.estimatedSeconds
    guard estimate >= Self.leastWaited else { return 0 }
    let patience = min(Self.mostWaited * estimate, 1)
    guard let deadline else { return patience }
    return max(0, min(patience, (deadline - .now) / .seconds(1)))
  }

  /// A sleeping thread wakes within some 50 us.
  private static let leastWaited = 200e-6
  /// Runs of one worker.
  private static let mostWaited = 8.0

  /// Whether a worker that has found work binds to its processor.
  func binds(onto processor: Int) -> Bool {
    // A thread that computes for a millisecond isn't moved.
    binding == .always || program.plan.estimatedSeconds > 1e-3 || tessera_current_processor() != processor
  }

  // MARK: Memory

  /// What it has allocated by now for itself and its runs, and the variables: each piece once.
  package var memory: [AlignedMemory] {
    let all = [prepared.memory] + program.constants + variables.map(\.memory) + idle.withLock { $0.flatMap(\.memory) }
    var known: Set<ObjectIdentifier> = []
    return all.map(\.piece).filter { known.insert(ObjectIdentifier($0)).inserted }
  }

  /// How much of what it has allocated by now lies in large pages.
  public func largePages() -> LargePages { LargePages(memory) }

  /// As ``Program/explain(on:workers:figures:)`` of this session's workers on this machine, with ``largePages()``.
  public func explain(figures: MachineFigures? = nil) throws(TesseraError) -> Explanation {
    var explanation = try program.explain(workers: workers, figures: figures)
    explanation.largePages = largePages()
    return explanation
  }

  // MARK: Bursts

  /// Keeps the workers awake through a burst of runs (a training loop, a batch of requests), for which one
  /// `concurrentPerform` is made: all runs that `body` makes on its thread share the team, of this session and of others.
  ///
  /// The body runs on the calling thread, which is bound only during runs. Between runs the other workers spin for at
  /// most 200 us, then they sleep; until the scope ends their threads are not available to other work of the process. A
  /// scope within a scope uses the outer one's team, and with an executor there is none.
  public func withWorkers<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    guard executor == nil else { return try body() }
    return try Team.withTeam(of: workers, body)
  }
}

/// Says where the inputs of one run are and where its outputs go.
public struct RunBindings: ~Copyable {
  let call: RunCall
  let graph: Graph

  /// - Parameters:
  ///   - name: as in ``Program/inputs``.
  ///   - bytes: the dense tensor, row-major, at an address that is a multiple of its element's size.
  /// - Throws: ``TesseraError/Code/notFound`` for another name, ``TesseraError/Code/shapeMismatch`` for another number
  ///   of bytes, ``TesseraError/Code/invalidData`` for another address.
  public func setInput(_ name: String, _ bytes: UnsafeRawBufferPointer) throws(TesseraError) {
    for (index, input) in graph.inputs.enumerated() where input.name == name {
      try Self.check(bytes, graph.type(of: input.value), "input", name)
      call.inputs[index] = bytes
      return
    }
    throw TesseraError(.notFound, at: "inputs", expected: "an input's name", found: name)
  }

  /// - Parameters:
  ///   - name: as in ``Program/outputs``.
  ///   - bytes: where the tensor goes, as in ``setInput(_:_:)``; it overlaps no input and no other output.
  /// - Throws: as ``setInput(_:_:)``.
  public func setOutput(_ name: String, _ bytes: UnsafeMutableRawBufferPointer)
    throws(TesseraError)
  {
    for (index, output) in graph.outputs.enumerated() where output.name == name {
      try Self.check(UnsafeRawBufferPointer(bytes), graph.type(of: output.value), "output", name)
      call.outputs[index] = bytes
      return
    }
    throw TesseraError(.notFound, at: "outputs", expected: "an output's name", found: name)
  }

  /// When the run ends if it isn't done: ``TesseraError/Code/deadlineExceeded``. It looks before each node, and no more
  /// once a training step has begun to write.
  public func setDeadline(_ deadline: ContinuousClock.Instant?) { call.deadline = deadline }

  /// What ends the run with ``TesseraError/Code/cancelled``, as a deadline does.
  public func setCancellation(_ cancellation: Cancellation?) { call.cancellation = cancellation }

  private static func check(
    _ bytes: UnsafeRawBufferPointer, _ type: TensorType, _ what: String, _ name: String
  ) throws(TesseraError) {
    guard bytes.count == type.byteCount else {
      throw TesseraError(
        .shapeMismatch, at: "\(what) \(name)", expected: "\(type.byteCount) bytes for \(type)",
        found: "\(bytes.count)")
    }
    guard Int(bitPattern: bytes.baseAddress) % type.element.byteCount == 0 else {
      throw TesseraError(
        .invalidData, at: "\(what) \(name)",
        expected: "an address that is a multiple of \(type.element.byteCount)",
        found: "\(Int(bitPattern: bytes.baseAddress))")
    }
  }
}
