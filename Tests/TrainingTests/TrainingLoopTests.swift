import Foundation
import Tessera
import TesseraData
import TesseraFormats
import TesseraTraining
import Testing

/// Under sanitizers everything takes ten times as long.
private let isShort = ProcessInfo.processInfo.environment["TESSERA_TESTS"] == "short"

@Suite("Training loop")
struct TrainingLoopTests {
  static let model = Sequential(inputShape: [8, 8, 1]) {
    Conv2D(8, kernelSize: 3, padding: .half, useBias: false)
    BatchNorm2D()
    ReLU()
    MaxPool2D(2)
    Dropout(0.25)
    Flatten()
    Dense(10, activation: .softmax)
  }

  /// The first of the embedded digits: few, so that an epoch is 5 steps, the last of 18 images.
  static func digits(_ count: Int = 146) throws -> ImageDataset {
    let all = try Datasets.digits(.train)
    return try ImageDataset(
      name: "some digits", images: Array(all.images.prefix(count * 64)), labels: Array(all.labels.prefix(count)),
      height: 8, width: 8, channels: 1, classes: 10)
  }

  static func settings(_ change: (inout TrainingSettings) -> Void = { _ in }) -> TrainingSettings {
    var settings = TrainingSettings()
    settings.epochs = 3
    settings.batchSize = 32
    settings.schedule = .cosine(0.05, steps: 15, warmUpSteps: 3)
    settings.transform.cropPadding = 1
    settings.transform.flips = true
    settings.workers = 2
    change(&settings)
    return settings
  }

  static func bits(_ store: ParameterStore) throws -> [String: [UInt8]] {
    try store.snapshot().mapValues { $0.withUnsafeBytes { Array($0) } }
  }

  static func withTemporaryFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tessera-training-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
  }

  @Test("It learns: digits are named after a few epochs")
  func learns() throws {
    let (train, validation) = try Datasets.digits(.train).split(lastShare: 0.2)
    #expect(train.count == 1150 && validation.count == 287)
    let settings = Self.settings {
      $0.epochs = isShort ? 1 : 8
      $0.transform = ImageTransform()
      $0.labelSmoothing = 0.05
      $0.optimizer = .sgd(momentum: 0.9, nesterov: true).clippingGradients(toNorm: 2)
      $0.schedule = .oneCycle(0.1, steps: $0.epochs * $0.stepsPerEpoch(train))
    }
    let loop = try TrainingLoop(
      Self.model, store: ParameterStore(), train: train, validation: validation, settings: settings)
    var results: [EpochResult] = []
    #expect(try loop.run { if case .epoch(let result) = $0 { results.append(result) } } == .epochs)
    #expect(results.map(\.epoch) == Array(1...settings.epochs))
    #expect(results.map(\.training.images) == results.map { _ in 1150 })
    let last = try #require(results.last?.validation)
    #expect(last.images == 287)
    #expect(last == (try loop.evaluate(validation)))
    #expect(last.top5 >= last.top1)
    if !isShort {
      #expect(last.top1 >= 0.95, "\(last)")
      #expect(try #require(results.last).training.loss < results[0].training.loss)
    }
  }

  static let changes: [@Sendable (inout TrainingSettings) -> Void] = [
    { _ in }, { $0.optimizer = .adam() }, { $0.microBatchSize = 10 },
    {
      $0.optimizer = Optimizer.adamW().clippingGradients(toNorm: 0.5)
      $0.labelSmoothing = 0.1
    },
  ]

  @Test("Interrupted after any step and resumed, it comes to the same bits", arguments: changes.indices)
  func resuming(_ index: Int) throws {
    let train = try Self.digits()
    let settings = Self.settings(Self.changes[index])
    let whole = ParameterStore(seed: 5)
    let loop = try TrainingLoop(Self.model, store: whole, train: train, validation: train, settings: settings)
    var results: [EpochResult] = []
    #expect(try loop.run { if case .epoch(let result) = $0 { results.append(result) } } == .epochs)
    #expect(loop.progress.step == 15)
    let expected = try Self.bits(whole)

    for stop in isShort ? [7] : [1, 4, 5, 6, 9, 14] {
      try Self.withTemporaryFolder { path in
        let folder = try CheckpointFolder(path: path)
        var part = settings
        (part.checkpoints, part.maximumSteps, part.workers) = (folder, stop, 1)
        let first = try TrainingLoop(
          Self.model, store: ParameterStore(seed: 5), train: train, validation: train, settings: part)
        #expect(try first.run() == .steps)

        part = settings
        part.workers = 3
        let store = ParameterStore(seed: 77)
        let second = try TrainingLoop(Self.model, store: store, train: train, validation: train, settings: part)
        let newest = try #require(try folder.newest())
        #expect(newest.step == stop)
        try second.resume(from: newest.checkpoint)
        var rest: [EpochResult] = []
        #expect(try second.run { if case .epoch(let result) = $0 { rest.append(result) } } == .epochs)
        #expect(try Self.bits(store) == expected)
        #expect(rest.map(\.training) == results.suffix(rest.count).map(\.training))
        #expect(rest.map(\.validation) == results.suffix(rest.count).map(\.validation))
        #expect(rest.count == 3 - stop / 5)
      }
    }
  }

  /// Checkpoint files are the same bytes too, so what is in them is all there is.
  @Test("Checkpoints come every few steps and after epochs, and the newest are kept")
  func checkpoints() throws {
    try Self.withTemporaryFolder { path in
      let settings = Self.settings {
        $0.checkpointInterval = 3
        $0.epochs = 2
      }
      var kept = settings
      kept.checkpoints = try CheckpointFolder(path: path, keep: 4)
      let loop = try TrainingLoop(Self.model, store: ParameterStore(), train: Self.digits(), settings: kept)
      var written: [String] = []
      try loop.run { if case .checkpoint(let path) = $0 { written.append(path) } }
      #expect(written == [3, 5, 6, 9, 10].map { kept.checkpoints?.file(ofStep: $0) })
      #expect(try kept.checkpoints?.steps() == [5, 6, 9, 10])
    }
  }

  @Test("Training stops when the validation loss has no more patience")
  func patience() throws {
    let settings = Self.settings {
      $0.epochs = 50
      $0.patience = 2
      // Nothing is that much better than the first epoch.
      $0.minimumImprovement = 100
      $0.schedule = .constant(0.01)
    }
    let train = try Self.digits(64)
    let loop = try TrainingLoop(
      Self.model, store: ParameterStore(), train: train, validation: train, settings: settings)
    #expect(try loop.run() == .patience)
    #expect(loop.progress.epoch == 3)
    #expect(try loop.run() == .patience)
    #expect(loop.progress.epoch == 3)
  }

  @Test("Logs have a line for each epoch, once, also after a resumption", arguments: ["log.csv", "log.jsonl"])
  func logs(_ name: String) throws {
    try Self.withTemporaryFolder { path in
      let folder = try CheckpointFolder(path: "\(path)/checkpoints")
      func run(stop: Int?, resumes: Bool) throws {
        let settings = Self.settings {
          $0.log = "\(path)/\(name)"
          $0.checkpoints = folder
          $0.checkpointInterval = 4
          $0.maximumSteps = stop
        }
        let train = try Self.digits()
        let loop = try TrainingLoop(
          Self.model, store: ParameterStore(), train: train, validation: train, settings: settings)
        if resumes, let newest = try folder.newest() { try loop.resume(from: newest.checkpoint) }
        try loop.run()
      }
      func lines() throws -> [Substring] {
        try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8).split(separator: "\n")
      }
      try run(stop: nil, resumes: false)
      let isCSV = name.hasSuffix("csv")
      let whole = try lines()
      #expect(whole.count == (isCSV ? 4 : 3))
      // The newest is gone: what the log has of the epochs after the one before it is dropped.
      try FileManager.default.removeItem(atPath: folder.file(ofStep: 15))
      try run(stop: nil, resumes: true)
      let again = try lines()
      #expect(again.count == whole.count)
      #expect(again.dropLast() == whole.dropLast())
      if isCSV {
        #expect(again[0].hasPrefix("epoch,step,learning_rate,loss,top1,top5,validation_loss"))
        #expect(again[3].hasPrefix("3,15,"))
        for line in again { #expect(line.split(separator: ",").count == 10) }
      } else {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(again[2].utf8)) as? [String: Any])
        #expect(object["epoch"] as? Int == 3)
        #expect(object["step"] as? Int == 15)
        #expect(try #require(object["validation_top5"] as? Double) <= 1)
      }
    }
  }

  @Test("Rates of parameter groups follow the schedule by their factors")
  func groups() throws {
    let model = Sequential(inputShape: [8, 8, 1]) {
      Flatten()
      Dense(6, activation: .relu, group: "first")
      Dense(10, activation: .softmax)
    }
    let train = try Self.digits(32)
    func weights(_ factor: Double?) throws -> [String: [UInt8]] {
      let store = ParameterStore(seed: 1)
      let settings = Self.settings {
        $0.epochs = 1
        $0.groupRates = factor.map { ["first": $0] } ?? [:]
      }
      try TrainingLoop(model, store: store, train: train, settings: settings).run()
      return try Self.bits(store)
    }
    let fixed = try weights(0)
    let initial = ParameterStore(seed: 1)
    try initial.add(model.graph(batch: 1))
    #expect(fixed["dense.weight"] == (try Self.bits(initial))["dense.weight"])
    #expect(fixed["dense_1.weight"] != (try Self.bits(initial))["dense_1.weight"])
    #expect(try weights(nil) == weights(1))
  }

  @Test("Settings, images and checkpoints that don't fit are errors")
  func mistakes() throws {
    let train = try Self.digits(40)
    func expectError(
      _ code: TesseraError.Code, _ fragments: String..., sourceLocation: SourceLocation = #_sourceLocation,
      validation: ImageDataset? = nil, _ change: (inout TrainingSettings) -> Void
    ) {
      let error = #expect(throws: TesseraError.self, sourceLocation: sourceLocation) {
        _ = try TrainingLoop(
          Self.model, store: ParameterStore(), train: train, validation: validation, settings: Self.settings(change))
      }
      #expect(error?.code == code, sourceLocation: sourceLocation)
      for fragment in fragments {
        #expect("\(error as Any)".contains(fragment), "\(error as Any)", sourceLocation: sourceLocation)
      }
    }
    expectError(.invalidAttribute, "epochs", "0") { $0.epochs = 0 }
    expectError(.invalidAttribute, "batch size", "-1") { $0.batchSize = -1 }
    expectError(.invalidAttribute, "micro-batch size") { $0.microBatchSize = 0 }
    expectError(.invalidAttribute, "patience", "validation images") { $0.patience = 3 }
    expectError(.invalidAttribute, "minimum improvement") { $0.minimumImprovement = -1 }
    expectError(.invalidAttribute, "mean", "1 finite numbers") { $0.transform.mean = [0.5, 0.5] }
    expectError(.invalidAttribute, "deviation", "above 0") { $0.transform.deviation = [0] }
    expectError(.invalidAttribute, "crop padding", "0 to 8") { $0.transform.cropPadding = 9 }
    expectError(.invalidAttribute, "label smoothing") { $0.labelSmoothing = 2 }
    let other = try ImageDataset(
      name: "other", images: [0, 0], labels: [0, 0], height: 1, width: 1, channels: 1, classes: 10)
    expectError(.shapeMismatch, "8 x 8 x 1", "1 x 1 x 1", validation: other) { _ in }

    let narrow = Sequential(inputShape: [8, 8, 1]) {
      Flatten()
      Dense(9, activation: .softmax)
    }
    let error = #expect(throws: TesseraError.self) {
      _ = try TrainingLoop(narrow, store: ParameterStore(), train: train, settings: Self.settings())
    }
    #expect(error?.code == .shapeMismatch)

    let loop = try TrainingLoop(Self.model, store: ParameterStore(), train: train, settings: Self.settings())
    let good = [
      "epoch": "1", "batch": "0", "step": "2", "images": "0", "loss_sum": "0.0", "top1": "0", "top5": "0",
      "epochs_without_improvement": "0", "data": "some digits, 40 images, batches of 32, seed 0",
    ]
    for (key, value) in [
      ("epoch", "-1"), ("batch", "3"), ("step", "x"), ("images", nil), ("loss_sum", "?"), ("best_loss", "low"),
      ("data", "some digits, 40 images, batches of 16, seed 0"),
    ] {
      var state = good
      state[key] = value
      let error = #expect(throws: TesseraError.self) {
        try loop.resume(from: TrainingCheckpoint(of: loop.store, state: state))
      }
      #expect(error?.code == .invalidFile)
      #expect("\(error as Any)".contains("state \(key)"), "\(error as Any)")
    }
    try loop.resume(from: TrainingCheckpoint(of: loop.store, state: good))
    #expect(loop.progress.step == 2)
  }
}
