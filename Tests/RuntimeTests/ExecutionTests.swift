import CAllocationCounter
import CTesseraShims
import Dispatch
import Foundation
import Synchronization
import Tessera
import TesseraVerification
import Testing

/// What a run does with threads. Nothing here looks at a clock.
@Suite(.serialized) struct ExecutionTests {
  private struct Failed: Error {}

  /// x, passed through a function that a test watches.
  private struct Watched: KernelOperation {
    let tasks: Int
    var flops = 0.0
    let body: @Sendable (Int) throws -> Void
    var name: String { "watched" }

    func flops(_ inputs: [TensorType]) -> Double { flops }

    func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] { [inputs[0]] }

    func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
      let count = context.inputs[0].shape.count
      let (tasks, body) = (tasks, body)
      return NodeKernel(
        name: "watched",
        phases: [
          .init(taskCount: tasks) { range, arguments in
            for task in range { try body(task) }
            if range.contains(0) {
              let (x, y) = (arguments.input(0, as: Float.self), arguments.output(0, as: Float.self))
              for index in 0..<count { y[index] = x[index] }
            }
          }
        ])
    }
  }

  private static func session(
    tasks: Int = 4, flops: Double = 0, workers: Int = 2, binding: WorkerBinding = .automatic, executor: Executor? = nil,
    _ body: @escaping @Sendable (Int) throws -> Void
  ) throws -> Session {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([4]))
    let first = try graph.add(Watched(tasks: tasks, flops: flops, body: body), [x], name: "first")[0]
    try graph.addOutput("y", graph.add(Watched(tasks: tasks) { _ in }, [first], name: "second")[0])
    return try Session(
      Program(graph), store: ParameterStore(), workers: workers, binding: binding, executor: executor)
  }

  private static func check(_ session: Session) throws {
    let y = try session.run(["x": Tensor([1, 2, 3, 4] as [Float], shape: [4])])["y"]
    #expect(try y?.elements(as: Float.self) == [1, 2, 3, 4])
  }

  /// Executors of every kind: none of the calls, one after the other here or on another thread, too many, at once.
  @Test func anyExecutorFinishes() throws {
    let other = DispatchQueue(label: "other")
    let executors: [Executor] = [
      { _, _ in },
      { count, body in for index in 0..<count { body(index) } },
      { count, body in other.sync { for index in 0..<count { body(index) } } },
      { count, body in other.async { for index in 0..<count { body(index) } } },
      { count, body in DispatchQueue.concurrentPerform(iterations: count) { body($0) } },
      { count, body in DispatchQueue.concurrentPerform(iterations: 3 * count) { body($0) } },
    ]
    for executor in executors {
      let session = try Self.session(workers: 3, executor: executor) { _ in }
      for _ in 0..<20 { try Self.check(session) }
      try session.withWorkers { for _ in 0..<20 { try Self.check(session) } }
      #expect(session.binding == .never)
    }
    other.sync {}
  }

  /// A run asks the executor once, however many steps and workers it has.
  @Test func aRunAsksTheExecutorOnce() throws {
    let calls = Atomic<Int>(0)
    let session = try Self.session(
      flops: 1e9, workers: 3,
      executor: { count, body in
        calls.wrappingAdd(1, ordering: .relaxed)
        for index in 0..<count { body(index) }
      }
    ) { _ in }
    var runs = 0
    // A run that gets one core only, while other tests have them, doesn't ask at all.
    while calls.load(ordering: .relaxed) < 5, runs < 10_000 {
      let before = calls.load(ordering: .relaxed)
      try Self.check(session)
      runs += 1
      #expect(calls.load(ordering: .relaxed) - before <= 1)
    }
    #expect(calls.load(ordering: .relaxed) == 5 || Machine.current.cores.count == 1)
  }

  /// Passes x on, and takes down where operands are.
  private struct Located: KernelOperation {
    let places: Lock<[Int]>
    var name: String { "located" }

    func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] { [inputs[0]] }

    func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
      let (count, places) = (context.inputs[0].shape.count, places)
      return NodeKernel(name: "located", taskCount: 1) { _, arguments in
        let (x, y) = (arguments.input(0, as: Float.self), arguments.output(0, as: Float.self))
        for index in 0..<count { y[index] = x[index] }
        places.withLock { $0 = [Int(bitPattern: x.baseAddress), Int(bitPattern: y.baseAddress)] }
      }
    }
  }

  /// Kernels read and write the caller's memory, not a copy of it.
  @Test func theCallersMemoryIsUsed() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([4]))
    let places = Lock<[Int]>([])
    try graph.addOutput("y", graph.add(Located(places: places), [x], name: "located")[0])
    let session = try Session(Program(graph), store: ParameterStore(), workers: 1)
    for value in [1, 2] as [Float] {
      var (input, output) = ([Float](repeating: value, count: 4), [Float](repeating: 0, count: 4))
      try input.withUnsafeMutableBytes { input in
        try output.withUnsafeMutableBytes { output in
          try session.run { (call) throws(TesseraError) in
            try call.setInput("x", UnsafeRawBufferPointer(input))
            try call.setOutput("y", output)
          }
          #expect(
            places.withLock { $0 } == [Int(bitPattern: input.baseAddress), Int(bitPattern: output.baseAddress)])
        }
      }
      #expect(output == input)
    }
  }

  /// Both workers take part in every run, each on a processor of its own: the first task waits for another one to begin.
  /// In a process of its own, where no other test has leased a core. Of a run that is expected to last: in a short one a
  /// worker that is on its processor already isn't bound to it, and the system may move it while it sleeps.
  @Test(.enabled(if: Machine.current.cores.count > 1, "one core"))
  func twoWorkersReachTwoProcessors() async {
    await #expect(processExitsWith: .success) {
      let processors = Lock<Set<Int>>([])
      let arrived = Atomic<Int>(0)
      let session = try ExecutionTests.session(tasks: 2, flops: 1e9) { _ in
        arrived.wrappingAdd(1, ordering: .sequentiallyConsistent)
        ExecutionTests.wait { arrived.load(ordering: .sequentiallyConsistent) % 2 == 0 }
        processors.withLock { _ = $0.insert(Int(tessera_current_processor())) }
      }
      func reachTwo() throws {
        for _ in 0..<20 {
          processors.withLock { $0 = [] }
          try ExecutionTests.check(session)
          #expect(processors.withLock { $0.count } == 2)
        }
      }
      try reachTwo()
      try session.withWorkers { try reachTwo() }
    }
  }

  /// Runs of several clients keep to their cores: two tasks at once are on two processors, and every client gets its mask back.
  @Test(.enabled(if: Machine.current.cores.count > 1, "one core"))
  func clientsHaveProcessorsOfTheirOwn() async {
    await #expect(processExitsWith: .success) {
      let taken = Lock<Set<Int>>([])
      let session = try ExecutionTests.session(tasks: 4, flops: 1e10, workers: 2) { _ in
        let here = Int(tessera_current_processor())
        let isFree = taken.withLock { $0.insert(here).inserted }
        let end = ContinuousClock.now + .microseconds(300)
        while .now < end {}
        taken.withLock { _ = $0.remove(here) }
        guard isFree, Int(tessera_current_processor()) == here else { throw Failed() }
      }
      let error = ExecutionTests.elsewhere(threads: 4) { _ in
        let mask = ExecutionTests.mask()
        for _ in 0..<20 {
          try ExecutionTests.check(session)
          guard ExecutionTests.mask() == mask else { throw Failed() }
        }
      }
      #expect(error == nil)
    }
  }

  /// While one worker is held up in the last task of a branch, the other one does the other branch.
  @Test(.enabled(if: Machine.current.cores.count > 1, "one core"))
  func independentNodesRunSideBySide() async {
    await #expect(processExitsWith: .success) {
      let hasBegun = Atomic<Bool>(false)
      let held = Watched(tasks: 2) { task in
        if task == 1, !ExecutionTests.wait(until: { hasBegun.load(ordering: .sequentiallyConsistent) }) {
          throw Failed()
        }
      }
      let free = Watched(tasks: 2) { _ in hasBegun.store(true, ordering: .sequentiallyConsistent) }
      var graph = Graph()
      let x = try graph.addInput("x", TensorType([4]))
      let branches = [
        try graph.add(held, [x], name: "held")[0],
        try graph.add(free, [graph.add(free, [x], name: "free1")[0]], name: "free2")[0],
      ]
      try graph.addOutput("y", graph.apply(Add(), branches[0], branches[1], name: "y"))
      let session = try Session(Program(graph), store: ParameterStore(), workers: 2)
      func run() throws {
        for _ in 0..<20 {
          hasBegun.store(false, ordering: .sequentiallyConsistent)
          let y = try session.run(["x": Tensor([1, 2, 3, 4] as [Float], shape: [4])])["y"]
          #expect(try y?.elements(as: Float.self) == [2, 4, 6, 8])
        }
      }
      try run()
      try session.withWorkers { try run() }
    }
  }

  /// Returns as soon as a condition holds, which takes another thread; false if it doesn't for half a minute.
  @discardableResult
  private static func wait(until condition: () -> Bool) -> Bool {
    for _ in 0..<300_000 {
      if condition() { return true }
      usleep(100)
    }
    return condition()
  }

  /// Half the sum of its inputs, plus a number, for one element in a hundred; what it does is recorded.
  private struct Recorded: KernelOperation {
    struct Event {
      var node: Int
      var isEnd: Bool
    }

    static let tasks = 3
    static let stride = 100
    let node: Int
    let events: Lock<[Event]>
    var name: String { "recorded" }

    func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] { [inputs[0]] }

    func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
      let (count, inputs) = (context.inputs[0].shape.count, context.inputs.count)
      let (node, events) = (node, events)
      return NodeKernel(
        name: "recorded",
        phases: [
          .init(taskCount: Self.tasks) { range, arguments in
            for task in range {
              events.withLock { $0.append(Event(node: node, isEnd: false)) }
              let y = arguments.output(0, as: Float.self)
              for index in Swift.stride(from: task * Self.stride, to: count, by: Self.tasks * Self.stride) {
                y[index] = Self.value(node, (0..<inputs).map { arguments.input($0, as: Float.self)[index] })
              }
              events.withLock { $0.append(Event(node: node, isEnd: true)) }
            }
          }
        ])
    }

    static func value(_ node: Int, _ inputs: [Float]) -> Float { inputs.reduce(0, +) * 0.5 + Float(node) }
  }

  /// Graphs of any form, with values that share memory and such as don't: every task begins after all those that its inputs
  /// come from, and all values are what they should be.
  @Test(arguments: 0..<12)
  func nodesRunAfterWhatTheyNeed(seed: Int) throws {
    var random = TestRandom(UInt64(seed))
    let events = Lock<[Recorded.Event]>([])
    // In the larger ones memory is shared wherever one node after the other would allow it.
    let count = seed % 2 == 0 ? 1000 : 40_000
    var graph = Graph()
    var values = [try graph.addInput("x", TensorType([count]))]
    var expected: [Float] = [3]
    var inputs: [[Int]] = [[]]
    for node in 1...random.int(20...120) {
      // Mostly of the last few, so that there are branches.
      let sources = (0...random.int(0...2)).map { _ in max(0, node - random.int(1...(random.int(0...5) == 0 ? 80 : 6)))
      }
      values.append(
        try graph.add(Recorded(node: node, events: events), sources.map { values[$0] }, name: "node\(node)")[0])
      expected.append(Recorded.value(node, sources.map { expected[$0] }))
      inputs.append(sources)
    }
    try graph.addOutput("y", values[values.count - 1])
    let program = try Program(graph)
    let x = try Tensor([Float](repeating: 3, count: count), shape: [count])
    for workers in [1, 2, 3, 8] {
      let session = try Session(program, store: ParameterStore(), workers: workers)
      for _ in 0..<5 {
        events.withLock { $0 = [] }
        let y = try session.run(["x": x])["y"]?.elements(as: Float.self)
        let last = expected[expected.count - 1]
        #expect(y.map { y in stride(from: 0, to: count, by: Recorded.stride).allSatisfy { y[$0] == last } } == true)
        var ended = [Int](repeating: 0, count: inputs.count)
        for event in events.withLock({ $0 }) {
          if event.isEnd {
            ended[event.node] += 1
          } else {
            #expect(inputs[event.node].allSatisfy { $0 == 0 || ended[$0] == Recorded.tasks })
          }
        }
      }
    }
  }

  /// From a second after the last run on a process whose teams have nothing to do takes no processor time, in a scope and
  /// after it.
  @Test func idleTeamsSleep() async {
    await #expect(processExitsWith: .success) {
      let session = try ExecutionTests.session(workers: 4) { _ in }
      func isIdle() throws -> Bool {
        for _ in 0..<100 { try ExecutionTests.check(session) }
        sleep(1)
        let before = clock()
        sleep(1)
        return Double(clock() - before) < 0.01 * Double(CLOCKS_PER_SEC)
      }
      let (inScope, outside) = (try session.withWorkers { try isIdle() }, try isIdle())
      #expect(inScope && outside)
    }
  }

  private static func mask() -> [UInt64] {
    var words = [UInt64](repeating: 0, count: 64)
    _ = words.withUnsafeMutableBufferPointer { tessera_get_thread_processors($0.baseAddress, $0.count) }
    return words
  }

  /// Every way out puts back the mask and the floating-point state that the caller had; inside denormals are zero.
  @Test func theCallersThreadIsAsItWas() throws {
    let outside = tessera_get_float_state()
    defer { tessera_set_float_state(outside) }
    tessera_set_float_state(tessera_computing_float_state() == 0 ? 0 : outside | 0x6000)
    // Without what computations of the test itself have raised.
    func state() -> UInt64 { tessera_get_float_state() & ~0x3F }
    let (mask, before) = (Self.mask(), state())
    for binding in [WorkerBinding.automatic, .never, .always] {
      for fails in [false, true] {
        let session = try Self.session(binding: binding) { _ in
          let tiny = Float.leastNonzeroMagnitude * Float(getpid() > 0 ? 1 : 0)
          if tessera_computing_float_state() != 0, tiny * 1 != 0 { throw Failed() }
          if fails { throw Failed() }
        }
        func run() {
          if fails {
            #expect(throws: TesseraError.self) { try Self.check(session) }
          } else {
            #expect(throws: Never.self) { try Self.check(session) }
          }
          #expect(Self.mask() == mask && state() == before)
        }
        run()
        session.withWorkers { for _ in 0..<3 { run() } }
      }
    }
  }

  /// A scope's body runs once, on the calling thread, whatever becomes of the team.
  @Test func aScopeRunsOnItsCaller() throws {
    let session = try Self.session(workers: 5) { _ in }
    let here = pthread_self()
    for _ in 0..<200 {
      var calls = 0
      try session.withWorkers {
        calls += 1
        #expect(pthread_equal(pthread_self(), here) != 0)
        try Self.check(session)
        try session.withWorkers { try Self.check(session) }
      }
      #expect(calls == 1)
    }
    #expect(throws: Failed.self) { try session.withWorkers { throw Failed() } }
  }

  /// 1,000 runs, some in scopes, from nested concurrentPerform and from tasks: each ends.
  @Test func nestedRunsAndScopesEnd() async throws {
    let session = try Self.session(workers: 4) { _ in }
    let ended = Atomic<Int>(0)
    let run: @Sendable (Int) -> Void = { index in
      if index % 2 == 0 {
        try? session.withWorkers { for _ in 0..<5 { try Self.check(session) } }
      } else {
        for _ in 0..<5 { try? Self.check(session) }
      }
      ended.wrappingAdd(5, ordering: .relaxed)
    }
    DispatchQueue.concurrentPerform(iterations: 10) { outer in
      DispatchQueue.concurrentPerform(iterations: 20) { run(outer + $0) }
    }
    #expect(ended.load(ordering: .relaxed) == 1000)
    await withTaskGroup { group in
      for index in 0..<20 { group.addTask { run(index) } }
    }
    #expect(ended.load(ordering: .relaxed) == 1100)
  }

  /// A kernel that runs a session does so within its worker.
  @Test func kernelsMayRunSessions() throws {
    let inner = try Self.session(workers: 3) { _ in }
    let outer = try Self.session { _ in try Self.check(inner) }
    for _ in 0..<20 { try Self.check(outer) }
    try outer.withWorkers { for _ in 0..<20 { try Self.check(outer) } }
  }

  /// Runs on threads of their own at once, and gives what one of them throws.
  private static func elsewhere(threads: Int = 1, _ body: @escaping @Sendable (Int) throws -> Void) -> (any Error)? {
    let error = Lock<(any Error)?>(nil)
    let group = DispatchGroup()
    for thread in 0..<threads {
      group.enter()
      Thread {
        do { try body(thread) } catch let thrown { error.withLock { $0 = thrown } }
        group.leave()
      }.start()
    }
    group.wait()
    return error.withLock { $0 }
  }

  /// A run of a millisecond waits for the cores of another: not for good, even where the other waits for it, and not beyond
  /// its deadline.
  @Test func runsThatWaitEnd() throws {
    let workers = Machine.current.cores.count
    let inner = try Self.session(flops: 8e7, workers: workers) { _ in }
    for _ in 0..<3 {
      let failure = Lock<(any Error)?>(nil)
      let outer = try Self.session(flops: 8e9, workers: workers) { task in
        guard task == 0 else { return }
        let error = Self.elsewhere { _ in for _ in 0..<3 { try Self.check(inner) } }
        failure.withLock { $0 = error }
      }
      try Self.check(outer)
      #expect(failure.withLock { $0 } == nil)
    }
    // It would wait for a second.
    let patient = try Self.session(flops: 8e11, workers: workers) { _ in }
    let outer = try Self.session(flops: 8e9, workers: workers) { task in
      guard task == 0 else { return }
      let error = Self.elsewhere { _ in
        let x = ["x": try Tensor([1, 2, 3, 4] as [Float], shape: [4])]
        _ = try patient.run(x, deadline: .now + .milliseconds(5))
      }
      // Unless there was a core for it.
      #expect(error == nil || (error as? TesseraError)?.code == .deadlineExceeded)
    }
    try Self.check(outer)
  }

  /// Many clients of programs that wait for their cores and that don't, with scopes and without: each run ends with
  /// what it would give alone.
  @Test func clientsOfOneMachineEnd() throws {
    let long = try Self.session(flops: 2e7, workers: 4) { _ in }
    let short = try Self.session(workers: 2) { _ in }
    let runs = Atomic<Int>(0)
    let error = Self.elsewhere(threads: 8) { client in
      let session = client % 3 == 2 ? short : long
      func run() throws {
        for _ in 0..<25 {
          try Self.check(session)
          runs.wrappingAdd(1, ordering: .relaxed)
        }
      }
      if client % 2 == 0 { try run() } else { try session.withWorkers { try run() } }
    }
    #expect(error == nil && runs.load(ordering: .relaxed) == 200)
  }

  /// Called off before a run and in the middle of one: an error that names the node, and the next run is as ever.
  @Test func runsCanBeCalledOff() throws {
    let x = ["x": try Tensor([1, 2, 3, 4] as [Float], shape: [4])]
    let cancellation = Cancellation()
    let session = try Self.session { _ in cancellation.cancel() }
    let during = #expect(throws: TesseraError.self) { try session.run(x, cancellation: cancellation) }
    #expect(during?.code == .cancelled && during?.location == "second")
    let before = #expect(throws: TesseraError.self) { try session.run(x, cancellation: cancellation) }
    #expect(before?.code == .cancelled && before?.location == "first")
    let late = #expect(throws: TesseraError.self) { try session.run(x, deadline: .now) }
    #expect(late?.code == .deadlineExceeded && late?.location == "first")
    _ = try session.run(x, deadline: .now + .seconds(3600), cancellation: Cancellation())
    try Self.check(session)
  }

  /// What a kernel throws comes with its node's name; the next run is as ever.
  @Test func kernelsMayThrow() throws {
    let fails = Atomic<Bool>(true)
    let session = try Self.session { task in if task == 2, fails.load(ordering: .relaxed) { throw Failed() } }
    for _ in 0..<20 {
      let error = #expect(throws: TesseraError.self) { try Self.check(session) }
      #expect(error?.code == .kernelFailed && error?.location == "first" && error?.underlying is Failed)
    }
    fails.store(false, ordering: .relaxed)
    try Self.check(session)
  }

  /// A step that is called off leaves parameters as they were, one that writes already can't be.
  @Test func theCommitIsNotCalledOff() throws {
    let store = ParameterStore(seed: 1)
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([4]))
    let cancellation = Cancellation()
    let w = try graph.addVariable(Variable(name: "w", type: TensorType([4]), initializer: .constant(1)))
    let sum = try graph.apply(Add(), w, x, name: "sum")
    let passed = try graph.add(Watched(tasks: 1) { _ in cancellation.cancel() }, [sum], name: "last")[0]
    try graph.addUpdate(of: w, to: passed)
    let session = try Session(Program(graph), store: store, workers: 2)
    let input = ["x": try Tensor([1, 1, 1, 1] as [Float], shape: [4])]
    // Called off while the last node before the commit runs.
    _ = try session.run(input, cancellation: cancellation)
    #expect(try store["w"]?.elements(as: Float.self) == [2, 2, 2, 2])
    #expect(throws: TesseraError.self) { try session.run(input, cancellation: cancellation) }
    #expect(try store["w"]?.elements(as: Float.self) == [2, 2, 2, 2])
  }

  /// In a scope runs with several workers don't allocate; outside one libdispatch does, once.
  @Test(.enabled(if: isOptimized, "debug builds allocate"))
  func sharedRunsDontAllocate() throws {
    guard allocation_counter_is_active() == 1 else { return }
    let session = try Self.session { _ in }
    let x: [Float] = [1, 2, 3, 4]
    var y: [Float] = [0, 0, 0, 0]
    func fewest() throws -> UInt64 {
      // Other threads of the process may allocate meanwhile.
      var fewest = UInt64.max
      for _ in 0..<5000 where fewest > 0 {
        let before = allocation_counter_count()
        try x.withUnsafeBytes { x in
          try y.withUnsafeMutableBytes { y in
            try session.run { (call) throws(TesseraError) in
              try call.setInput("x", x)
              try call.setOutput("y", y)
            }
          }
        }
        fewest = min(fewest, allocation_counter_count() - before)
      }
      return fewest
    }
    #expect(try fewest() <= 1)
    #expect(try session.withWorkers { try fewest() } == 0)
    #expect(y == x)
  }

  /// Work that doesn't pay for a thread takes none; what does takes all.
  @Test func smallRunsTakeFewWorkers() throws {
    func program(_ size: Int) throws -> Program {
      try Program(Sequential { Dense(size, inputShape: [size], name: "dense") }.graph(batch: 64))
    }
    func workers(_ size: Int, isAwake: Bool) throws -> Int { try program(size).workers(atMost: 8, isAwake: isAwake) }
    #expect(try workers(16, isAwake: false) == 1 && workers(16, isAwake: true) == 1)
    #expect(try workers(256, isAwake: false) <= 2 && workers(256, isAwake: true) == 8)
    #expect(try workers(2048, isAwake: false) == 8)
  }
}
