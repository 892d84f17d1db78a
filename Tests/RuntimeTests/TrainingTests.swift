import Foundation
import Synchronization
import Tessera
import TesseraKernels
import TesseraVerification
import Testing

/// A network with every kind of layer that a training step meets.
let smallNetwork = Sequential {
  Conv2D(10, kernelSize: 3, padding: .half, inputShape: [9, 7, 2], name: "conv1")
  BatchNorm2D(name: "bn")
  ReLU()
  MaxPool2D(2)
  Conv2D(19, kernelSize: 3, stride: 2, padding: .same, activation: .tanh, name: "conv2")
  Dropout(0.25, name: "drop")
  Flatten()
  Dense(7, activation: .softmax, name: "dense")
}

struct Batch {
  var images: Tensor
  var labels: Tensor

  init(_ count: Int, seed: UInt64, shape: [Int] = [9, 7, 2], classes: Int = 7) throws {
    var random = TestRandom(seed)
    let elements = count * shape.reduce(1, *)
    images = try Tensor(
      random.normals(elements).map(Float.init), shape: Shape([count] + shape))
    labels = try Tensor(
      (0..<count).map { _ in Int32(random.int(0...classes - 1)) }, shape: [count])
  }
}

@Suite struct TrainingTests {
  private func train(
    workers: Int, steps: Int, seed: UInt64 = 3, optimizer: Optimizer = .sgd(momentum: 0.9),
    options: Program.Options = .init()
  ) throws -> [String: [UInt8]] {
    let store = ParameterStore(seed: seed)
    let trainer = try Trainer(
      model: smallNetwork, batch: 6, loss: .softmaxCrossEntropy(), optimizer: optimizer,
      store: store, options: options, workers: workers)
    for step in 0..<steps {
      let batch = try Batch(6, seed: UInt64(100 + step))
      try trainer.step(batch.images, batch.labels, learningRate: 0.05)
    }
    return try store.snapshot().mapValues { $0.withUnsafeBytes { Array($0) } }
  }

  /// The same bits for any number of workers, on every instruction set.
  @Test(arguments: KernelCatalogue.supported)
  func weightsDontDependOnTheNumberOfWorkers(_ instructionSet: InstructionSet) throws {
    let options = Program.Options(instructionSet: instructionSet)
    let expected = try train(workers: 1, steps: 20, options: options)
    for workers in [2, 3, 5] {
      #expect(try train(workers: workers, steps: 20, options: options) == expected)
    }
  }

  @Test func oneSeedGivesTheSameRunAndAnotherDoesNot() throws {
    let first = try train(workers: 2, steps: 3)
    #expect(try train(workers: 2, steps: 3) == first)
    #expect(try train(workers: 2, steps: 3, seed: 4) != first)
  }

  /// Programs of several batch sizes share one store: the odd last batch of an epoch, inference at batch 1.
  @Test func programsShareAStore() throws {
    let store = ParameterStore(seed: 1)
    let full = try Trainer(
      model: smallNetwork, batch: 6, loss: .softmaxCrossEntropy(), optimizer: .adam(),
      store: store)
    let rest = try Trainer(
      model: smallNetwork, batch: 5, loss: .softmaxCrossEntropy(), optimizer: .adam(),
      store: store)
    let inference = try Session(
      Program(smallNetwork.graph(batch: 1, mode: .inference)), store: store)
    let image = try Batch(1, seed: 9).images
    var outputs: [[Float]] = []
    for step in 0..<4 {
      let trainer = step % 2 == 0 ? full : rest
      let batch = try Batch(step % 2 == 0 ? 6 : 5, seed: UInt64(step))
      try trainer.step(batch.images, batch.labels, learningRate: 0.01)
      let output = try #require(try inference.run(["input": image])["output"])
      outputs.append(try output.elements())
    }
    #expect(try store["step"]?.elements(as: Int64.self) == [4])
    // Packed weights follow the parameters: every step shows.
    #expect(Set(outputs.map { "\($0)" }).count == 4)
  }

  /// A loss that isn't finite is an error before anything is written.
  @Test func aStepThatFailsWritesNothing() throws {
    let store = ParameterStore(seed: 1)
    let trainer = try Trainer(
      model: smallNetwork, batch: 6, loss: .softmaxCrossEntropy(),
      optimizer: .sgd(momentum: 0.9), store: store, workers: 2)
    let batch = try Batch(6, seed: 1)
    try trainer.step(batch.images, batch.labels, learningRate: 0.1)
    func bytes() throws -> [String: [UInt8]] { try store.snapshot().mapValues { $0.withUnsafeBytes { Array($0) } } }
    let before = try bytes()

    var pixels = try batch.images.elements(as: Float.self)
    pixels[17] = .nan
    let bad = try Tensor(pixels, shape: batch.images.shape)
    let error = #expect(throws: TesseraError.self) {
      try trainer.step(bad, batch.labels, learningRate: 0.1)
    }
    #expect(error?.code == .notFinite)
    #expect(try bytes() == before)

    for label: Int32 in [-1, 7] {
      let labels = try Tensor([0, 1, 2, label, 4, 5] as [Int32], shape: [6])
      let error = #expect(throws: TesseraError.self) {
        try trainer.step(batch.images, labels, learningRate: 0.1)
      }
      #expect(error?.code == .invalidData)
      #expect(error?.location.contains("label 3") == true)
      #expect(try bytes() == before)
    }
    // And it can be run again.
    try trainer.step(batch.images, batch.labels, learningRate: 0.1)
    #expect(try bytes() != before)
  }

  /// A reader sees the parameters before a step or after it, never between: with one learning rate and constant
  /// gradients, all weights of this model are equal at any time.
  @Test func readersNeverSeeHalfAStep() throws {
    var graph = Graph()
    let x = try graph.addInput("input", TensorType([1]))
    let rate = try graph.addInput("learning_rate", TensorType(.scalar))
    let one = try graph.addConstant([1], TensorType([1]))
    for index in 0..<64 {
      let w = try graph.addVariable(
        Variable(name: "w\(index)", type: TensorType([4096]), initializer: .constant(1)))
      let gradient = try graph.addConstant(
        Array(repeating: -1, count: 4096), TensorType([4096]))
      let updated = try graph.add(
        SGDUpdate(momentum: 0, weightDecay: 0, nesterov: false), [w, gradient, rate],
        name: "update\(index)")
      try graph.addUpdate(of: w, to: updated[0])
    }
    try graph.addOutput("loss", try graph.apply(Multiply(), x, one, name: "loss"))
    let store = ParameterStore()
    let trainer = try Session(Program(graph), store: store, workers: 2)

    var reader = Graph()
    var weights: [Value] = []
    for index in 0..<64 {
      weights.append(
        try reader.addVariable(
          Variable(name: "w\(index)", type: TensorType([4096]), initializer: .constant(1))))
    }
    let y = try reader.addInput("x", TensorType([4096]))
    for (index, weight) in weights.enumerated() {
      try reader.addOutput("y\(index)", try reader.apply(Multiply(), weight, y, name: "y\(index)"))
    }
    let inference = try Session(Program(reader), store: store, workers: 1)
    let ones = try Tensor([Float](repeating: 1, count: 4096), shape: [4096])

    let isDone = Atomic<Bool>(false)
    let mixed = Atomic<Int>(0)
    let runs = Atomic<Int>(0)
    let failures = Lock<[String]>([])
    let thread = Thread {
      while !isDone.load(ordering: .relaxed) {
        do {
          let outputs = try inference.run(["x": ones])
          let values = try Set(outputs.values.flatMap { try $0.elements(as: Float.self) })
          if values.count != 1 { mixed.wrappingAdd(1, ordering: .relaxed) }
          let stored = try Set(store.snapshot().values.flatMap { try $0.elements(as: Float.self) })
          if stored.count != 1 { mixed.wrappingAdd(1, ordering: .relaxed) }
        } catch {
          failures.withLock { $0.append("\(error)") }
        }
        runs.wrappingAdd(1, ordering: .relaxed)
      }
    }
    thread.start()
    let input = try Tensor([1 as Float], shape: [1])
    let step = try Tensor([0.5 as Float], shape: .scalar)
    var steps = 0
    while steps < 200 || runs.load(ordering: .relaxed) < 5 {
      _ = try trainer.run(["input": input, "learning_rate": step])
      steps += 1
    }
    isDone.store(true, ordering: .relaxed)
    while !thread.isFinished { usleep(1000) }
    #expect(failures.withLock { $0 } == [])
    #expect(mixed.load(ordering: .relaxed) == 0)
    #expect(try store["w63"]?.elements(as: Float.self).first == 1 + 0.5 * Float(steps))
  }
}
