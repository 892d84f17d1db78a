import Foundation
import Tessera
import TesseraFormats
import Testing

@Suite("Checkpoints")
struct CheckpointTests {
  /// Dropout, batch normalization and a dense layer: every kind of state.
  static let model = Sequential(inputShape: [6, 6, 2]) {
    Conv2D(8, kernelSize: 3, padding: .half, useBias: false)
    BatchNorm2D()
    ReLU()
    Dropout(0.3)
    Flatten()
    Dense(5, activation: .softmax)
  }

  static func trainer(_ store: ParameterStore, _ optimizer: Optimizer, workers: Int = 2) throws -> Trainer {
    try Trainer(
      model: model, batch: 7, loss: .softmaxCrossEntropy(), optimizer: optimizer, store: store, workers: workers)
  }

  static func train(_ trainer: Trainer, steps: Range<Int>) throws -> [Float] {
    try steps.map { step in
      var random = Random(state: UInt64(step))
      let images = (0..<7 * 72).map { _ in Float(random.below(1000)) / 500 - 1 }
      let labels = (0..<7).map { _ in Int32(random.below(5)) }
      return try trainer.step(
        Tensor(images, shape: [7, 6, 6, 2]), Tensor(labels, shape: [7]), learningRate: 0.01
      ).loss
    }
  }

  static let optimizers: [Optimizer] = [
    .sgd(), .sgd(momentum: 0.9, nesterov: true, weightDecay: 1e-3), .adam(), .adamW(),
  ]

  @Test("Resumed training is the same to the bit, with any number of workers", arguments: optimizers.indices)
  func resuming(_ index: Int) throws {
    let optimizer = Self.optimizers[index]
    let whole = ParameterStore(seed: 3)
    let losses = try Self.train(Self.trainer(whole, optimizer), steps: 0..<6)
    try withTemporaryFolder { folder in
      let path = "\(folder)/checkpoint"
      let half = ParameterStore(seed: 3)
      #expect(try Self.train(Self.trainer(half, optimizer, workers: 1), steps: 0..<3) == Array(losses[..<3]))
      try Checkpoint(of: half, state: ["epoch": "1", "note": "a \"b\"\n"]).write(to: path)
      for workers in [1, 3] {
        // Another seed: the checkpoint's is what counts.
        let resumed = ParameterStore(seed: 99)
        let trainer = try Self.trainer(resumed, optimizer, workers: workers)
        let checkpoint = try Checkpoint(path: path)
        #expect(checkpoint.state == ["epoch": "1", "note": "a \"b\"\n"])
        try checkpoint.restore(to: resumed)
        #expect(try Self.train(trainer, steps: 3..<6).map(\.bitPattern) == losses[3...].map(\.bitPattern))
        #expect(try resumed.snapshot().mapValues(bits) == whole.snapshot().mapValues(bits))
      }
      // The same state gives the same bytes.
      let again = ParameterStore(seed: 3)
      _ = try Self.train(Self.trainer(again, optimizer), steps: 0..<3)
      try Checkpoint(of: again, state: ["epoch": "1", "note": "a \"b\"\n"]).write(to: "\(folder)/again")
      #expect(try bytes(of: "\(folder)/again") == bytes(of: path))
    }
  }

  @Test("A checkpoint of another model lists all that doesn't fit, and writes nothing")
  func otherModels() throws {
    let store = ParameterStore()
    _ = try Self.trainer(store, .adam())
    let checkpoint = try Checkpoint(of: store)
    let other = ParameterStore()
    let model = Sequential(inputShape: [6, 6, 2]) {
      Flatten()
      Dense(4, activation: .softmax)
      Dense(3, name: "head")
    }
    _ = try Trainer(model: model, batch: 7, loss: .softmaxCrossEntropy(), optimizer: .adam(), store: other)
    let before = try other.snapshot().mapValues(bits)
    expectError(
      .invalidFile, "missing: head.bias, head.bias.first_moment", "unexpected: batch_norm2d.bias",
      "dense.weight float32[288, 5] instead of float32[72, 4]"
    ) { try checkpoint.restore(to: other) }
    #expect(try other.snapshot().mapValues(bits) == before)
  }

  @Test("Every byte of a checkpoint counts")
  func damage() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/checkpoint"
      let store = ParameterStore()
      _ = try Self.trainer(store, .sgd(momentum: 0.9))
      try Checkpoint(of: store, state: ["epoch": "1"]).write(to: path)
      let whole = try bytes(of: path)
      let stored = try store.snapshot().mapValues(bits)
      func read(_ bytes: [UInt8]) throws -> TesseraFormats.Checkpoint {
        try TesseraFormats.Checkpoint(SafetensorsFile(bytes: bytes, name: "x"))
      }
      #expect(try read(whole).variables.mapValues(bits) == stored)
      for place in stride(from: 0, to: whole.count, by: whole.count < 4000 ? 1 : 7) {
        var damaged = whole
        damaged[place] ^= 1
        expectError(.invalidFile, "x") { _ = try read(damaged) }
      }
      for count in stride(from: 0, to: whole.count, by: 101) {
        expectError(.invalidFile) { _ = try read(Array(whole[..<count])) }
      }
      var random = Random(state: 9)
      for _ in 0..<1000 {
        let mutated = random.mutated(whole, head: 1500)
        do throws(TesseraError) {
          // A change may undo another.
          let checkpoint = try Checkpoint(SafetensorsFile(bytes: mutated, name: "x"))
          #expect(checkpoint.variables.mapValues(bits) == stored)
        } catch {
          #expect(error.code == .invalidFile, "\(error)")
        }
      }
    }
    expectError(.invalidFile, "tessera.format", "none") {
      _ = try Checkpoint(path: fixture("plain"))
    }
    expectError(.notFound, "/no/such") { _ = try Checkpoint(path: "/no/such") }
  }

  @Test("A folder keeps the newest, passes over damaged ones and clears what a killed run left")
  func folders() throws {
    let store = ParameterStore()
    _ = try Self.trainer(store, .sgd())
    try withTemporaryFolder { parent in
      let path = "\(parent)/new"
      let folder = try CheckpointFolder(path: path, keep: 2)
      #expect(try folder.newest() == nil)
      for step in [1, 12, 100] { try folder.save(Checkpoint(of: store, state: ["at": "\(step)"]), step: step) }
      #expect(try folder.steps() == [12, 100])
      #expect(try folder.newest()?.checkpoint.state == ["at": "100"])

      try write(Array(bytes(of: folder.file(ofStep: 100)).dropLast()), to: folder.file(ofStep: 100))
      let newest = try #require(try folder.newest())
      #expect(newest.step == 12)
      #expect(newest.damaged.map(\.code) == [.invalidFile])
      try write([], to: folder.file(ofStep: 12))
      expectError(.invalidFile, "0000000100.safetensors") { _ = try folder.newest() }

      try write([1], to: "\(path)/.checkpoint-0000000101.safetensors.abc.tmp")
      try write([1], to: "\(path)/notes.txt")
      _ = try CheckpointFolder(path: path)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: path).sorted() == [
          "checkpoint-0000000012.safetensors", "checkpoint-0000000100.safetensors", "notes.txt",
        ])
      expectError(.invalidAttribute, path) { _ = try CheckpointFolder(path: path, keep: 0) }
      expectError(.invalidFile, "notes.txt") { _ = try CheckpointFolder(path: "\(path)/notes.txt") }
      expectError(.invalidFile, "no/where") { _ = try CheckpointFolder(path: "\(path)/no/where") }
    }
  }
}
