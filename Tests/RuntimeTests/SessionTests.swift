import CAllocationCounter
import Dispatch
import Foundation
import Synchronization
import Tessera
import TesseraKernels
import Testing

@Suite(.serialized) struct SessionTests {
  private func inference(batch: Int = 3, workers: Int = 2) throws -> Session {
    try Session(
      Program(smallNetwork.graph(batch: batch, mode: .inference)), store: ParameterStore(seed: 2),
      workers: workers)
  }

  /// Several threads run one session at once: short runs side by side, and longer ones that wait for each other's cores.
  @Test(arguments: [3, 300]) func manyThreadsRunOneSession(batch: Int) throws {
    let session = try inference(batch: batch)
    let batches = try (0..<4).map { try Batch(batch, seed: UInt64($0)).images }
    let expected = try batches.map { try session.run(["input": $0])["output"]?.elements(as: Float.self) }
    let wrong = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      for round in 0..<25 {
        let index = (thread + round) % 4
        let found = try? session.run(["input": batches[index]])["output"]?.elements(as: Float.self)
        if found != expected[index] { wrong.wrappingAdd(1, ordering: .relaxed) }
      }
    }
    #expect(wrong.load(ordering: .relaxed) == 0)
  }

  /// From inside nested concurrentPerform, where iterations run one after the other, a run still ends.
  @Test func nestedRunsEnd() throws {
    let session = try inference()
    let image = try Batch(3, seed: 1).images
    let expected = try session.run(["input": image])["output"]?.elements(as: Float.self)
    let right = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 2) { _ in
      DispatchQueue.concurrentPerform(iterations: 2) { _ in
        for _ in 0..<25 {
          let found = try? session.run(["input": image])["output"]?.elements(as: Float.self)
          if found == expected { right.wrappingAdd(1, ordering: .relaxed) }
        }
      }
    }
    #expect(right.load(ordering: .relaxed) == 100)
  }

  /// In the steady state neither inference nor a training step allocates. One worker: the system's thread pool isn't
  /// ours to count.
  @Test(.enabled(if: isOptimized, "debug builds allocate"))
  func steadyStateRunsDontAllocate() throws {
    guard allocation_counter_is_active() == 1 else { return }
    let store = ParameterStore(seed: 1)
    let session = try Session(
      Program(smallNetwork.graph(batch: 3, mode: .inference)), store: store, workers: 1)
    let trainer = try Trainer(
      model: smallNetwork, batch: 6, loss: .softmaxCrossEntropy(), optimizer: .adam(),
      store: store, workers: 1)
    let image = try Batch(3, seed: 1).images
    let batch = try Batch(6, seed: 2)
    var output = [Float](repeating: 0, count: 21)

    func runBoth() throws {
      try output.withUnsafeMutableBytes { outputBytes in
        try image.withUnsafeBytes { imageBytes in
          try session.run { (call) throws(TesseraError) in
            try call.setInput("input", imageBytes)
            try call.setOutput("output", outputBytes)
          }
        }
      }
      try batch.images.withUnsafeBytes { images in
        try batch.labels.withUnsafeBytes { labels in
          _ = try trainer.step(input: images, target: labels, learningRate: 0.01)
        }
      }
    }
    for _ in 0..<3 { try runBoth() }
    // Other threads of the test process may allocate meanwhile: one quiet round of several is enough to show that ours
    // don't.
    var fewest = UInt64.max
    for _ in 0..<1000 where fewest > 0 {
      let before = allocation_counter_count()
      try runBoth()
      fewest = min(fewest, allocation_counter_count() - before)
    }
    #expect(fewest == 0)
  }

  /// Packed weights are kept until the weights they came from are written.
  @Test func weightsArePackedAgainOnlyWhenTheyWereWritten() throws {
    let model = Sequential {
      Conv2D(5, kernelSize: 3, inputShape: [6, 6, 2], name: "conv")
      Flatten()
      Dense(3, name: "dense")
    }
    let store = ParameterStore(seed: 2)
    let session = try Session(Program(model.graph(batch: 2)), store: store, workers: 2)
    let image = try Tensor([Float](repeating: 0.5, count: 144), shape: [2, 6, 6, 2])
    func packed() throws -> [String] {
      let profile = try session.profile { (call) throws(TesseraError) in
        try image.withUnsafeBytes { (bytes) throws(TesseraError) in try call.setInput("input", bytes) }
      }
      return profile.entries.filter { $0.isPreparation && $0.kernel.hasPrefix("pack.") && $0.seconds > 0 }.map(\.node)
    }
    #expect(try packed() == ["conv.pack", "dense.pack"])
    #expect(try packed() == [])
    let before = try #require(try session.run(["input": image])["output"]?.elements(as: Float.self))
    try store.set(["dense.weight": Tensor([Float](repeating: 0, count: 240), shape: [80, 3])])
    #expect(try packed() == ["dense.pack"])
    let after = try #require(try session.run(["input": image])["output"]?.elements(as: Float.self))
    #expect(before.contains { $0 != 0 } && after.allSatisfy { $0 == 0 })
    #expect(try packed() == [])
  }

  @Test func badInputsAreTypedErrors() throws {
    let session = try inference()
    let image = try Batch(3, seed: 1).images
    let missing = #expect(throws: TesseraError.self) { try session.run() }
    #expect(missing?.code == .notFound)
    #expect(missing?.description.contains("input") == true)
    let unknown = #expect(throws: TesseraError.self) {
      try session.run(["input": image, "imput": image])
    }
    #expect(unknown?.found == "imput")
    let shape = try Batch(2, seed: 1).images
    let mismatch = #expect(throws: TesseraError.self) { try session.run(["input": shape]) }
    #expect(mismatch?.code == .shapeMismatch)
    #expect(mismatch?.expected == "float32[3, 9, 7, 2]")
    #expect(mismatch?.found == "float32[2, 9, 7, 2]")
    let element = try Tensor([Double](repeating: 0, count: 378), shape: [3, 9, 7, 2])
    let type = #expect(throws: TesseraError.self) { try session.run(["input": element]) }
    #expect(type?.code == .elementTypeMismatch)
    for workers in [0, -1, Session.maximumWorkers + 1] {
      let error = #expect(throws: TesseraError.self) { try inference(workers: workers) }
      #expect(error?.code == .invalidAttribute)
    }
    let bytes = [UInt8](repeating: 0, count: 5)
    let short = #expect(throws: TesseraError.self) {
      try bytes.withUnsafeBytes { bytes in
        try session.run { (call) throws(TesseraError) in try call.setInput("input", bytes) }
      }
    }
    #expect(short?.expected.contains("1512 bytes") == true)
  }

  /// The store refuses what doesn't fit, and then changes nothing.
  @Test func storesKeepTypes() throws {
    let session = try inference()
    let store = session.store
    let weight = try #require(store["dense.bias"])
    #expect(weight.shape == [7])
    let wrong = try Tensor([1 as Float], shape: [1])
    let fitting = try Tensor([Float](repeating: 1, count: 7), shape: [7])
    #expect(throws: TesseraError.self) {
      try store.set(["dense.bias": fitting, "dense.weight": wrong])
    }
    #expect(try store["dense.bias"]?.elements(as: Float.self) == [0, 0, 0, 0, 0, 0, 0])
    try store.set(["dense.bias": fitting])
    #expect(try store["dense.bias"]?.elements(as: Float.self) == [1, 1, 1, 1, 1, 1, 1])
    let other = try Sequential { Dense(3, inputShape: [4], name: "dense") }
      .graph(batch: 1, mode: .inference)
    let error = #expect(throws: TesseraError.self) { try Session(Program(other), store: store) }
    #expect(error?.code == .shapeMismatch)
  }

  /// Empty batches run and give empty outputs.
  @Test func zeroImagesAreFine() throws {
    let session = try inference(batch: 0)
    let image = try Tensor([Float](), shape: [0, 9, 7, 2])
    #expect(try session.run(["input": image])["output"]?.shape == [0, 7])
  }
}

/// Without optimisation closures and existentials are allocated where the optimiser removes them.
var isOptimized: Bool {
  var result = true
  // An assertion's condition is evaluated in debug builds only.
  func noteDebug() -> Bool {
    result = false
    return true
  }
  assert(noteDebug())
  return result
}
