import Foundation
import Tessera
import TesseraKernels
import TesseraVerification
import Testing

/// Steps that are more than a gradient and an update: clipped, smoothed, or cut into micro-batches.
@Suite struct StepPartTests {
  static let sets: [InstructionSet?] = [nil] + KernelCatalogue.supported

  static func options(_ set: InstructionSet?) -> Program.Options {
    set.map { .init(instructionSet: $0, numerics: .exact) } ?? .init(usesReferenceKernels: true)
  }

  static func doubles(_ tensor: Tensor) throws -> [Double] {
    tensor.type.element == .float64
      ? try tensor.elements(as: Double.self) : try tensor.elements(as: Float.self).map(Double.init)
  }

  static func tensor(_ values: [Double], _ shape: Shape, _ element: ElementType) throws -> Tensor {
    element == .float64 ? try Tensor(values, shape: shape) : try Tensor(values.map(Float.init), shape: shape)
  }

  /// Weights 0 after a step of rate 1 are minus the clipped gradients: those of sum(p g) are g.
  @Test(arguments: sets) func gradientsAreClippedTogether(_ set: InstructionSet?) throws {
    let element: ElementType = set == nil ? .float64 : .float32
    var random = TestRandom(8)
    let gradients = [3, 1, 17, 40_000].map { random.normals($0) }
    let norm = gradients.joined().reduce(0) { $0 + $1 * $1 }.squareRoot()
    for limit in [0.01, norm / 2, norm * 2] {
      var graph = Graph()
      var terms: [Value] = []
      for (index, gradient) in gradients.enumerated() {
        let type = TensorType([gradient.count], element)
        let p = try graph.addVariable(Variable(name: "p\(index)", type: type))
        let g = try graph.addInput("g\(index)", type)
        let product = try graph.apply(Multiply(), p, g, name: "product")
        terms.append(try graph.apply(SumAll(), product, name: "term"))
      }
      var loss = terms[0]
      for term in terms.dropFirst() { loss = try graph.apply(Add(), loss, term, name: "sum") }
      try graph.addTraining(loss: loss, optimizer: .sgd().clippingGradients(toNorm: limit))
      let program = try Program(graph, options: Self.options(set))
      var results: [[String: [UInt8]]] = []
      for workers in [1, 3] {
        let store = ParameterStore()
        var inputs = ["learning_rate": try Tensor([1 as Float], shape: .scalar)]
        for (index, gradient) in gradients.enumerated() {
          inputs["g\(index)"] = try Self.tensor(gradient, [gradient.count], element)
        }
        _ = try Session(program, store: store, workers: workers).run(inputs)
        let factor = min(1, limit / (norm + 1e-6))
        for (index, gradient) in gradients.enumerated() {
          for (found, g) in zip(try Self.doubles(#require(store["p\(index)"])), gradient) {
            #expect(abs(found + factor * g) <= (element == .float64 ? 1e-13 : 1e-6) * abs(g) * factor)
          }
        }
        results.append(try store.snapshot().mapValues { $0.withUnsafeBytes { Array($0) } })
      }
      #expect(results[0] == results[1])
    }
  }

  @Test func badNormsAndSmoothingsAreErrors() throws {
    for norm in [0, -1, .infinity, .nan] as [Double] {
      let error = #expect(throws: TesseraError.self) {
        _ = try TrainingGraph.build(
          model: smallNetwork, batch: 2, loss: .softmaxCrossEntropy(), optimizer: .sgd().clippingGradients(toNorm: norm)
        )
      }
      #expect(error?.code == .invalidAttribute)
    }
    for smoothing in [-0.1, 1.1, .nan] {
      let error = #expect(throws: TesseraError.self) {
        _ = try TrainingGraph.build(
          model: smallNetwork, batch: 2, loss: .softmaxCrossEntropy(labelSmoothing: smoothing), optimizer: .sgd())
      }
      #expect(error?.code == .invalidAttribute)
    }
  }

  /// A gradient whose square is infinite ends the step before anything is written.
  @Test func normsThatAreNotFiniteEndTheStep() throws {
    var graph = Graph()
    let p = try graph.addVariable(Variable(name: "p", type: TensorType([1])))
    let g = try graph.addInput("g", TensorType([1]))
    let loss = try graph.apply(SumAll(), graph.apply(Multiply(), p, g, name: "product"), name: "loss")
    try graph.addTraining(loss: loss, optimizer: .sgd().clippingGradients(toNorm: 1))
    let store = ParameterStore()
    let session = try Session(Program(graph), store: store)
    let error = #expect(throws: TesseraError.self) {
      _ = try session.run([
        "g": Tensor([1e30 as Float], shape: [1]), "learning_rate": Tensor([1 as Float], shape: .scalar),
      ])
    }
    #expect(error?.code == .notFinite)
    #expect(try store["p"]?.elements(as: Float.self) == [0])
  }

  /// Without normalization a step's gradient is that of all its images, however they are cut; in double precision to the
  /// last digits.
  @Test(arguments: sets) func microBatchesAreTheLargeBatch(_ set: InstructionSet?) throws {
    let element: ElementType = set == nil ? .float64 : .float32
    let model = Sequential(inputShape: [9, 7, 2]) {
      Conv2D(10, kernelSize: 3, padding: .half, activation: .relu)
      MaxPool2D(2)
      Flatten()
      Dense(7, activation: .softmax)
    }
    // Also beside clipping, which is of the whole gradient.
    let optimizer = Optimizer.sgd(momentum: 0.5, weightDecay: 0.01).clippingGradients(toNorm: 0.2)
    func program(_ batch: Int, _ part: StepPart) throws -> Program {
      try Program(
        TrainingGraph.build(
          model: model, batch: batch, loss: .softmaxCrossEntropy(), optimizer: optimizer, element: element, part: part),
        options: Self.options(set))
    }
    let rate = try Tensor([0.1 as Float], shape: .scalar)
    func run(_ cuts: [Int], workers: Int = 2) throws -> [String: [Double]] {
      let store = ParameterStore(seed: 2)
      for step in 0..<3 {
        var random = TestRandom(UInt64(step))
        let images = random.normals(12 * 126)
        let labels = (0..<12).map { _ in Int32(random.int(0...6)) }
        var first = 0
        for (index, count) in cuts.enumerated() {
          let isLast = index == cuts.count - 1
          let part: StepPart = cuts.count == 1 ? .whole : isLast ? .update : .accumulation
          var inputs = [
            "input": try Self.tensor(Array(images[first * 126..<(first + count) * 126]), [count, 9, 7, 2], element),
            "target": try Tensor(Array(labels[first..<first + count]), shape: [count]),
          ]
          if part != .accumulation { inputs["learning_rate"] = rate }
          if part != .whole {
            inputs[TrainingGraph.lossWeightName] = try Self.tensor([Double(count) / 12], .scalar, element)
          }
          _ = try Session(program(count, part), store: store, workers: workers).run(inputs)
          first += count
        }
      }
      #expect(try store["step"]?.elements(as: Int64.self) == [3])
      for name in store.names where name.hasSuffix("gradient_sum") {
        #expect(try Self.doubles(#require(store[name])).allSatisfy { $0 == 0 })
      }
      return try store.snapshot().filter { $0.value.type.element == element && !$0.key.hasSuffix("gradient_sum") }
        .mapValues(Self.doubles)
    }
    let whole = try run([12])
    for cuts in [[4, 4, 4], [5, 5, 2], [1, 11]] {
      let found = try run(cuts)
      #expect(found.keys == whole.keys)
      for (name, values) in whole {
        let largest = values.map(abs).max() ?? 0
        for (a, b) in zip(found[name] ?? [], values) {
          #expect(abs(a - b) <= (element == .float64 ? 1e-13 : 1e-5) * largest, "\(name) \(cuts)")
        }
      }
    }
    #expect(try run([5, 5, 2], workers: 1) == run([5, 5, 2], workers: 3))
  }

  /// Micro-batches of one step drop other elements, and what they drop follows from a counter in the store.
  @Test func masksDifferBetweenMicroBatches() throws {
    let model = Sequential(inputShape: [40]) {
      Dropout(0.5)
      Dense(3, activation: .softmax)
    }
    let store = ParameterStore()
    let graph = try TrainingGraph.build(
      model: model, batch: 2, loss: .softmaxCrossEntropy(), optimizer: .sgd(), part: .accumulation)
    let session = try Session(Program(graph), store: store)
    let inputs = try [
      "input": Tensor([Float](repeating: 1, count: 80), shape: [2, 40]),
      "target": Tensor([0, 1] as [Int32], shape: [2]),
      "loss_weight": Tensor([0.5 as Float], shape: .scalar),
    ]
    let losses = try (0..<3).map { _ in try #require(session.run(inputs)["loss"]).elements(as: Float.self)[0] }
    #expect(Set(losses).count == 3)
    #expect(try store["micro_batch"]?.elements(as: Int64.self) == [3])
    try store.set(["micro_batch": Tensor([0 as Int64], shape: .scalar)])
    #expect(try #require(session.run(inputs)["loss"]).elements(as: Float.self) == [losses[0]])
  }

  /// The loss of an evaluation is the one of training, by running statistics and without dropout.
  @Test func evaluationsDontLearn() throws {
    let store = ParameterStore(seed: 1)
    let batch = try Batch(4, seed: 3)
    let graph = try TrainingGraph.evaluation(
      of: smallNetwork, batch: 4, loss: .softmaxCrossEntropy(labelSmoothing: 0.2))
    let program = try Program(graph)
    #expect(!program.isTraining)
    let results = try Session(program, store: store).run(["input": batch.images, "target": batch.labels])
    let probabilities = try #require(results["output"]).elements(as: Float.self)
    let labels = try batch.labels.elements(as: Int32.self)
    var expected = 0.0
    for (row, label) in labels.enumerated() {
      for c in 0..<7 {
        let target = (c == Int(label) ? 0.8 : 0) + 0.2 / 7
        expected -= target * log(Double(probabilities[row * 7 + c])) / 4
      }
    }
    #expect(abs(Double(try #require(results["loss"]).elements(as: Float.self)[0]) - expected) <= 1e-5)
  }
}
