import Tessera
import TesseraNetworks
import TesseraVerification
import Testing

/// Training that computes values again gives the bits of training that keeps them.
@Suite struct RecomputationTests {
  /// All parameters after some steps, and the loss.
  private struct Outcome: Equatable {
    var losses: [Float] = []
    var parameters: [String: [Float]] = [:]
  }

  private func outcome(_ model: some Layer, _ shape: Shape, _ options: Program.Options, workers: Int) throws
    -> (outcome: Outcome, memory: MemoryUse)
  {
    let store = ParameterStore(seed: 3)
    let trainer = try Trainer(
      model: model, inputShape: shape, batch: 4, loss: .softmaxCrossEntropy(), optimizer: .sgd(momentum: 0.9),
      store: store, options: options, workers: workers)
    let type = TensorType(Shape([4] + shape.dimensions))
    var random = TestRandom(5)
    let images = try Tensor(rounding: random.normals(type.shape.count), to: type)
    let labels = try Tensor([0, 2, 1, 2] as [Int32], shape: [4])
    var outcome = Outcome()
    for _ in 0..<3 { outcome.losses.append(try trainer.step(images, labels, learningRate: 0.05).loss) }
    for (name, value) in try store.snapshot() where value.type.element == .float32 {
      outcome.parameters[name] = try value.elements(as: Float.self)
    }
    return (outcome, trainer.session.program.memoryUse(workers: workers))
  }

  private static let networks: [(name: String, model: Sequential, shape: Shape)] = [
    (
      "bottlenecks",
      ResNet(blocks: [2, 2, 1, 1], isBottleneck: true, width: 4).model(classes: 3, inputShape: [64, 64, 3]),
      [64, 64, 3]
    ),
    (
      "residual",
      ResNet(blocks: [2, 1, 1, 1], isBottleneck: false, width: 4).model(classes: 3, inputShape: [64, 64, 3]),
      [64, 64, 3]
    ),
    ("dense", DenseNet121(growth: 4).model(classes: 3, inputShape: [64, 64, 3]), [64, 64, 3]),
  ]

  @Test(arguments: networks.indices) func networksKeepTheirBits(_ index: Int) throws {
    let (name, model, shape) = Self.networks[index]
    for fuses in [true, false] {
      let kept = try outcome(model, shape, .init(fusesNodes: fuses, recomputes: false), workers: 1)
      for workers in [1, 3] {
        let again = try outcome(model, shape, .init(fusesNodes: fuses), workers: workers)
        #expect(again.outcome == kept.outcome, "\(name) \(fuses) \(workers)")
        #expect(again.memory.liveByteCount < kept.memory.liveByteCount, "\(name)")
      }
    }
  }

  /// Layers drawn at random, some of them in checkpoints.
  private func layers(_ random: inout TestRandom, depth: Int, checkpoints: Bool) -> [any Layer] {
    var layers: [any Layer] = []
    for index in 0..<random.int(2...5) {
      let name = "\(index)"
      switch random.int(0...(depth > 0 ? 9 : 6)) {
      case 0: layers.append(Conv2D(random.int(1...9), kernelSize: 3, padding: .half, name: name))
      case 1: layers.append(Conv2D(random.int(1...9), kernelSize: 1, activation: .tanh, useBias: false, name: name))
      case 2, 3: layers.append(BatchNorm2D(name: name))
      case 4: layers.append(ReLU(name: name))
      case 5: layers.append(Sigmoid(name: name))
      case 6: layers.append(Dropout(0.3, name: name))
      case 7:
        let inner = self.layers(&random, depth: depth - 1, checkpoints: checkpoints)
        layers.append(
          Residual(activation: .relu, name: name) {
            Sequential(inner)
            Conv2D(6, kernelSize: 1, name: "last")
          } shortcut: {
            Conv2D(6, kernelSize: 1, name: "shortcut")
          })
      case 8:
        let inner = self.layers(&random, depth: depth - 1, checkpoints: checkpoints)
        layers.append(
          Concatenate {
            Identity()
            Sequential(inner, name: name)
          })
      default:
        // The same layers with and without it.
        let inner = [Sequential(self.layers(&random, depth: depth - 1, checkpoints: checkpoints), name: name)]
        layers.append(checkpoints ? ActivationCheckpoint(inner) : Sequential(inner))
      }
    }
    return layers
  }

  @Test(arguments: 0..<24) func generatedLayersKeepTheirBits(_ seed: Int) throws {
    func model(checkpoints: Bool) -> Sequential {
      var random = TestRandom(UInt64(seed))
      return Sequential(
        layers(&random, depth: 3, checkpoints: checkpoints) + [Flatten(), Dense(3, name: "classes")])
    }
    let kept = try outcome(model(checkpoints: false), [6, 5, 2], .init(recomputes: false), workers: 1)
    let isFinite = kept.outcome.losses.allSatisfy { $0.isFinite }
    #expect(isFinite)
    for checkpoints in [false, true] {
      for recomputes in [false, true] where checkpoints || recomputes {
        let again = try outcome(model(checkpoints: checkpoints), [6, 5, 2], .init(recomputes: recomputes), workers: 2)
        #expect(again.outcome == kept.outcome, "\(checkpoints) \(recomputes)")
      }
    }
  }

  // MARK: Checkpoints

  private func chain(checkpoint: Bool) -> Sequential {
    let inner: [any Layer] = (0..<6).flatMap { index -> [any Layer] in
      [Conv2D(8, kernelSize: 3, padding: .half, name: "conv\(index)"), BatchNorm2D(name: "norm\(index)"), Tanh()]
    }
    return Sequential(
      [Conv2D(8, kernelSize: 3, padding: .half, name: "first")] + (checkpoint ? [ActivationCheckpoint(inner)] : inner)
        + [Flatten(), Dense(3, name: "classes")])
  }

  @Test func checkpointsTakeLessMemory() throws {
    let shape: Shape = [40, 40, 4]
    let kept = try outcome(chain(checkpoint: false), shape, .init(), workers: 2)
    let again = try outcome(chain(checkpoint: true), shape, .init(), workers: 2)
    #expect(again.outcome == kept.outcome)
    #expect(again.memory.weightByteCount == kept.memory.weightByteCount)
    #expect(again.memory.liveByteCount < kept.memory.liveByteCount)
  }

  /// For inference a checkpoint is nothing.
  @Test func checkpointsAreForTraining() throws {
    func names(_ checkpoint: Bool) throws -> [String] {
      try chain(checkpoint: checkpoint).graph(batch: 1, inputShape: [16, 16, 4]).nodes.map(\.name)
    }
    #expect(try names(true) == names(false))
  }
}
