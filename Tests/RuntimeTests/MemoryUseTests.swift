import CAllocationCounter
import Foundation
import Tessera
import TesseraNetworks
import TesseraRuntime
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// What is planned is what is allocated.
@Suite(.serialized) struct MemoryUseTests {
  private let network = ResNet(blocks: [1, 1, 1, 1], isBottleneck: true, width: 16)
  private var model: Sequential { network.model(classes: 5, inputShape: [32, 32, 3]) }

  private func session(training: Bool, workers: Int, options: Program.Options = .init()) throws -> Session {
    let store = ParameterStore(seed: 1)
    guard training else {
      return try Session(Program(model.graph(batch: 4), options: options), store: store, workers: workers)
    }
    return try Trainer(
      model: model, batch: 4, loss: .softmaxCrossEntropy(), optimizer: .adam(), store: store, options: options,
      workers: workers
    ).session
  }

  /// Runs of the session on memory that stays where it is.
  private func withRuns(of session: Session, _ body: (() throws -> Void) throws -> Void) throws {
    let images = try Tensor([Float](repeating: 0.5, count: 4 * 32 * 32 * 3), shape: [4, 32, 32, 3])
    let labels = try Tensor([0, 1, 2, 3] as [Int32], shape: [4])
    let rate = try Tensor([0.01 as Float], shape: .scalar)
    try images.withUnsafeBytes { images in
      try labels.withUnsafeBytes { labels in
        try rate.withUnsafeBytes { rate in
          try body {
            try session.run { (call) throws(TesseraError) in
              try call.setInput("input", images)
              guard session.program.isTraining else { return }
              try call.setInput("target", labels)
              try call.setInput(TrainingGraph.defaultLearningRateName, rate)
            }
          }
        }
      }
    }
  }

  @Test(arguments: [false, true]) func whatIsPlannedIsAllocated(training: Bool) throws {
    for workers in [1, 2, 5] {
      let session = try session(training: training, workers: workers)
      let use = session.program.memoryUse(workers: workers)
      try withRuns(of: session) { run in for _ in 0..<3 { try run() } }
      let total = session.memory.reduce(0) { $0 + $1.allocatedByteCount }
      #expect(total == use.byteCount, "\(training) \(workers)")
      let sum =
        use.weightByteCount + use.optimizerByteCount + use.statisticByteCount + use.constantByteCount
        + use.preparedByteCount + use.runByteCount
      #expect(sum <= total && total - sum <= 2 * AlignedMemory.largePage)
      #expect(use.liveByteCount <= use.arenaByteCount)
      #expect(use.optimizerByteCount == (training ? 2 * use.weightByteCount : 0))
      // Weights that change in every step are packed in the arena.
      #expect((use.preparedByteCount == 0) == training)
    }
  }

  /// Before anything is allocated, a program above its limit is an error that says what takes most.
  @Test func limits() throws {
    let workers = Machine.current.defaultWorkerCount
    let use = try session(training: true, workers: workers).program.memoryUse()
    _ = try session(training: true, workers: workers, options: .init(memoryLimit: use.byteCount))
    let error = #expect(throws: TesseraError.self) {
      try session(training: true, workers: workers, options: .init(memoryLimit: use.byteCount - 1))
    }
    #expect(error?.code == .memoryLimitExceeded && error?.location == "memory limit")
    #expect(error?.found.contains(try #require(use.largest.first).name) == true)
    // More workers have more scratch memory.
    let most = #expect(throws: TesseraError.self) {
      try session(training: true, workers: 4000, options: .init(memoryLimit: use.byteCount))
    }
    #expect(most?.code == .memoryLimitExceeded)
    // More than an address can tell is above every limit.
    let wide = Sequential { Dense(1 << 25, inputShape: [1 << 25], name: "wide") }
    let huge = #expect(throws: TesseraError.self) {
      try Program(wide.graph(batch: 1), options: .init(memoryLimit: 1 << 40))
    }
    #expect(huge?.code == .memoryLimitExceeded && huge?.found.contains("wide") == true)
  }

  /// A chain of element-wise nodes needs the place of one.
  @Test func valuesAreWrittenInPlace() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([1000]))
    var y = try graph.apply(
      SoftmaxOperation(), try graph.apply(ReshapeOperation(shape: [1, 1000]), x, name: "row"), name: "first")
    for index in 0..<5 {
      y = try graph.apply(Activate(function: .tanh), y, name: "tanh\(index)")
      y = try graph.apply(Affine(factor: 3, offset: -1), y, name: "affine\(index)")
    }
    // Twice of a sum whose addend is what the kernel reads: it stays until the addition is done.
    let doubled = try graph.apply(Add(), graph.apply(Affine(factor: 2), y, name: "double"), y, name: "add")
    try graph.addOutput("y", graph.apply(SoftmaxOperation(), doubled, name: "last"))
    for fuses in [false, true] {
      let program = try Program(graph, options: .init(fusesNodes: fuses))
      #expect(program.memoryUse(workers: 1).liveByteCount <= 2 * 4096, "\(fuses)")
      let reference = try Program(graph, options: .init(usesReferenceKernels: true))
      let input = ["x": try Tensor((0..<1000).map { Float($0 % 7) }, shape: [1000])]
      let found = try Session(program, store: ParameterStore(), workers: 2).run(input)["y"]?.elements(as: Float.self)
      let expected = try Session(reference, store: ParameterStore(), workers: 1).run(input)["y"]?.elements(
        as: Float.self)
      let pairs = zip(try #require(found), try #require(expected))
      #expect(pairs.allSatisfy { abs($0 - $1) <= 1e-5 * abs($1) })
    }
  }

  /// What others still read is not written over.
  @Test func whatIsReadLaterStays() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([8]))
    let a = try graph.apply(Affine(factor: 2), x, name: "a")
    let b = try graph.apply(Affine(factor: 3), a, name: "b")
    let c = try graph.apply(Affine(factor: 5), a, name: "c")
    try graph.addOutput("y", graph.apply(Subtract(), b, c, name: "difference"))
    let session = try Session(Program(graph), store: ParameterStore(), workers: 1)
    let y = try session.run(["x": Tensor([Float](repeating: 1, count: 8), shape: [8])])["y"]
    #expect(try y?.elements(as: Float.self) == [Float](repeating: -4, count: 8))
  }

  #if os(Linux)
    private func pageFaults() -> Int {
      var usage = rusage()
      getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
      return usage.ru_minflt + usage.ru_majflt
    }

    /// After the first runs neither inference nor training touches a page for the first time, nor allocates.
    @Test(.enabled(if: isOptimized, "debug builds allocate"), arguments: [false, true])
    func steadyRunsTouchNoNewPage(training: Bool) throws {
      let session = try session(training: training, workers: 2)
      try withRuns(of: session) { run in
        try session.withWorkers {
          for _ in 0..<3 { try run() }
          // Other tests of the process may do so meanwhile: one quiet run is enough.
          var (faults, allocations) = (Int.max, UInt64.max)
          for _ in 0..<1000 where faults > 0 || allocations > 0 {
            let before = (pageFaults(), allocation_counter_count())
            try run()
            faults = min(faults, pageFaults() - before.0)
            allocations = min(allocations, allocation_counter_count() - before.1)
          }
          #expect(faults == 0)
          #expect(allocations == 0 || allocation_counter_is_active() == 0)
        }
      }
    }
  #endif

  // MARK: Large pages

  @Test func largePagesAreCounted() {
    let maps = """
      10000000-10400000 rw-p 00000000 00:00 0
      Rss:                4096 kB
      AnonHugePages:      4096 kB
      20000000-20800000 rw-p 00000000 00:00 0 [heap]
      AnonHugePages:      2048 kB
      30000000-30200000 rw-p 00000000 00:00 0
      AnonHugePages:      2048 kB
      """
    // Half of the first mapping, the second, and nothing of the third.
    let pieces: [Range<UInt>] = [0x1020_0000..<0x1040_0000, 0x2000_0000..<0x2040_0000, 0x2040_0000..<0x2060_0000]
    #expect(LargePages.large(maps, pieces) == (2 << 20) + (2 << 20))
    #expect(LargePages.large("nonsense\n\n-\nAnonHugePages: x kB", pieces) == 0)
  }

  /// A session says what it got; the text has a line for it.
  @Test func sessionsSayWhatPagesTheyGot() throws {
    let session = try session(training: true, workers: 2)
    try withRuns(of: session) { run in try run() }
    let explanation = try session.explain()
    let pages = try #require(explanation.largePages)
    #expect(pages.byteCount >= explanation.memory.arenaByteCount)
    #if os(Linux)
      #expect((0...pages.byteCount).contains(try #require(pages.largeByteCount)))
    #endif
    #expect(explanation.text.split(separator: "\n").last?.hasPrefix("large pages ") == true)
    #expect(explanation.text.contains("planned "))
  }
}
