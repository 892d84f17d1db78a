import Tessera
import TesseraKernels
import TesseraVerification
import Testing

/// Layers with state beyond their weights: running statistics and random masks.
@Suite struct StatefulLayerTests {
  /// Mean 1e4 and deviation 1, where a difference of squares leaves nothing: the output and the running statistics of
  /// two steps, by PyTorch's conventions. At 1e4 a float is off by 2^-11: the mean of a chunk of rows, and that of all,
  /// which a normalized value feels as it is.
  @Test(arguments: KernelCatalogue.supported)
  func normalizationFarFromZero(_ instructionSet: InstructionSet) throws {
    let (rows, channels) = (1000, 19)
    let model = BatchNorm2D(name: "norm")
    let graph = try TrainingGraph.build(
      model: model, inputShape: [channels], batch: rows, loss: .meanSquaredError(), optimizer: .sgd())
    let store = ParameterStore()
    let session = try Session(Program(graph, options: .init(instructionSet: instructionSet)), store: store, workers: 2)
    var random = TestRandom(5)
    var (runningMean, runningVariance) = (
      [Double](repeating: 0, count: channels), [Double](repeating: 1, count: channels)
    )
    let zeros = try Tensor([Float](repeating: 0, count: rows * channels), shape: [rows, channels])
    for step in 0..<2 {
      let x = random.normals(rows * channels).map { Float(1e4 + $0) }
      let outputs = try session.run([
        "input": Tensor(x, shape: [rows, channels]), "target": zeros,
        "learning_rate": Tensor([0 as Float], shape: .scalar),
      ])
      let y: [Float] = try #require(outputs["output"]).elements()
      for c in 0..<channels {
        let column = (0..<rows).map { Double(x[$0 * channels + c]) }
        let mean = column.reduce(0, +) / Double(rows)
        let squares = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let deviation = (squares / Double(rows) + 1e-5).squareRoot()
        let worst = (0..<rows).map { abs(Double(y[$0 * channels + c]) - (column[$0] - mean) / deviation) }.max() ?? 0
        #expect(worst < 2 * 0x1p-11 + 1e-4, "step \(step), channel \(c)")
        runningMean[c] = 0.9 * runningMean[c] + 0.1 * mean
        runningVariance[c] = 0.9 * runningVariance[c] + 0.1 * squares / Double(rows - 1)
      }
    }
    let mean: [Float] = try #require(store["norm.running_mean"]).elements()
    let variance: [Float] = try #require(store["norm.running_var"]).elements()
    for c in 0..<channels {
      #expect(abs(Double(mean[c]) - runningMean[c]) < 1e-6 * runningMean[c])
      #expect(abs(Double(variance[c]) - runningVariance[c]) < 1e-4)
    }
    #expect(try store["step"]?.elements(as: Int64.self) == [2])
  }

  /// Which elements of an image of ones a model drops, in training.
  private func mask(_ model: some Layer, seed: UInt64 = 1, steps: Int = 0, output: String = "output") throws -> [Bool] {
    let graph = try model.graph(batch: 2, mode: .training, inputShape: [50])
    let store = ParameterStore(seed: seed)
    let session = try Session(Program(graph), store: store, workers: 2)
    try store.set(["step": Tensor([Int64(steps)], shape: .scalar)])
    let ones = try Tensor([Float](repeating: 1, count: 100), shape: [2, 50])
    let y: [Float] = try #require(try session.run(["input": ones])[output]).elements()
    return y.map { $0 == 0 }
  }

  /// The mask follows from seed, step, the layer's name and the element, and not from what else is in the model.
  @Test func masksFollowFromNames() throws {
    let alone = try mask(Dropout(0.5, name: "drop"))
    #expect(Set(alone).count == 2)
    let before: [any Layer] = [Dropout(0, name: "none"), Reshape([5, 10]), Flatten(), Dropout(0.5, name: "drop")]
    #expect(try mask(Sequential(before)) == alone)
    #expect(try mask(Dropout(0.5, name: "other")) != alone)
    #expect(try mask(Dropout(0.5, name: "drop"), seed: 2) != alone)
    #expect(try mask(Dropout(0.5, name: "drop"), steps: 1) != alone)
    #expect(try mask(Sequential(name: "block") { Dropout(0.5, name: "drop") }) != alone)
    // Fewer are dropped at a lower probability, and those are among the others.
    let fewer = try mask(Dropout(0.2, name: "drop"))
    #expect(zip(fewer, alone).allSatisfy { !$0 || $1 } && fewer != alone)
  }
}
