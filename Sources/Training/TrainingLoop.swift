import Foundation
public import Tessera
public import TesseraData
public import TesseraFormats

/// Trains a model that names classes on a set of images, epoch by epoch.
///
///     var settings = TrainingSettings()
///     settings.schedule = .cosine(0.05, steps: settings.epochs * settings.stepsPerEpoch(train), warmUpSteps: 100)
///     settings.checkpoints = try CheckpointFolder(path: "run1")
///     let loop = try TrainingLoop(model, store: store, train: train, validation: validation, settings: settings)
///     if let newest = try settings.checkpoints?.newest() { try loop.resume(from: newest.checkpoint) }
///     try loop.run { event in if case .epoch(let result) = event { print(result) } }
///
/// Losses and weights follow from seeds, data and settings: not from the number of workers, the pace of the input, or where
/// a run was interrupted and resumed.
public final class TrainingLoop {
  /// Where the parameters live.
  public let store: ParameterStore
  /// How far training has come.
  public private(set) var progress = TrainingProgress()
  private let settings: TrainingSettings
  private let validation: ImageDataset?
  private let runner: StepRunner
  private var batches: BatchSequence

  /// Compiles the model for training; new variables are added to the store with their first values.
  /// - Parameter validation: what the model is judged by after each epoch; nil: nothing.
  /// - Throws: ``TesseraError`` if the model doesn't fit the images, a setting is out of range, the validation images are of
  ///   another shape or number of classes, or patience has nothing to judge by.
  public init(
    _ model: any Layer, store: ParameterStore, train: ImageDataset, validation: ImageDataset? = nil,
    settings: TrainingSettings
  ) throws(TesseraError) {
    try settings.check()
    if let validation { try Self.require(validation, like: train) }
    guard validation != nil || settings.patience == nil else {
      throw TesseraError(
        .invalidAttribute, at: "training, patience", expected: "validation images to judge by", found: "none")
    }
    self.store = store
    self.settings = settings
    self.validation = validation
    batches = try BatchSequence(train, batchSize: settings.batchSize, seed: settings.seed)
    // Also what a wrong transform says, before anything is compiled.
    _ = try BatchPipeline(batches, from: batches.count, transform: settings.transform)
    runner = try StepRunner(model, for: train, store: store, settings: settings)
  }

  /// Goes on from a checkpoint of the same model, optimizer, images and batches: to the bit as if there had been no
  /// interruption.
  /// - Throws: ``TesseraError/Code/invalidFile`` if it is of another training, and lists all variables that differ. Nothing
  ///   was changed then.
  public func resume(from checkpoint: TrainingCheckpoint) throws(TesseraError) {
    let progress = try TrainingProgress(checkpoint.state)
    guard checkpoint.state["data"] == data else {
      throw TesseraError(
        .invalidFile, at: "checkpoint, state data", expected: "\"\(data)\"",
        found: checkpoint.state["data"].map { "\"\($0)\"" } ?? "none")
    }
    guard progress.batch <= batches.count else {
      throw TesseraError(
        .invalidFile, at: "checkpoint, state batch", expected: "0 to \(batches.count)", found: "\(progress.batch)")
    }
    try checkpoint.restore(to: store)
    self.progress = progress
  }

  /// Trains until all epochs are done, or patience or the steps are at their end.
  /// - Parameter report: told after each step, epoch and checkpoint; training ends with what it throws.
  /// - Throws: ``TesseraError/Code/notFinite`` where the loss or a gradient isn't, and what can be wrong with files. The
  ///   parameters are those after the last whole step; running statistics may have seen micro-batches more.
  @discardableResult
  public func run(_ report: (TrainingEvent) throws(TesseraError) -> Void = { _ in }) throws(TesseraError) -> TrainingEnd
  {
    let log = try settings.log.map { (path) throws(TesseraError) in try TrainingLog(path: path, epochs: progress.epoch)
    }
    while progress.epoch < settings.epochs {
      if hasNoPatience { return .patience }
      let start = DispatchTime.now().uptimeNanoseconds
      let imagesBefore = progress.metrics.images
      guard try trainEpoch(report) else { return .steps }
      let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
      let result = EpochResult(
        epoch: progress.epoch + 1, step: progress.step,
        learningRate: settings.schedule.learningRate(atStep: progress.step - 1), training: progress.metrics,
        validation: try validation.map { (images) throws(TesseraError) in try evaluate(images) },
        imagesPerSecond: Double(progress.metrics.images - imagesBefore) / max(seconds, 1e-9))
      finishEpoch(result)
      try log?.append(result)
      try report(.epoch(result))
      try save(report)
    }
    return hasNoPatience ? .patience : .epochs
  }

  /// How the model names images that it doesn't learn from.
  /// - Throws: ``TesseraError/Code/shapeMismatch`` if they are of another shape or number of classes.
  public func evaluate(_ images: ImageDataset) throws(TesseraError) -> Metrics {
    try Self.require(images, like: batches.dataset)
    let sequence = try BatchSequence(images, batchSize: runner.capacity, seed: 0, shuffle: false)
    let pipeline = try BatchPipeline(sequence, transform: settings.transform.withoutAugmentation)
    var metrics = Metrics()
    while try pipeline.next({ (batch) throws(TesseraError) in try runner.evaluate(batch, metrics: &metrics) }) != nil {}
    return metrics
  }

  // MARK: Pieces

  private var hasNoPatience: Bool { settings.patience.map { progress.epochsWithoutImprovement >= $0 } ?? false }

  /// False if the steps are done before the epoch is.
  private func trainEpoch(_ report: (TrainingEvent) throws(TesseraError) -> Void) throws(TesseraError) -> Bool {
    batches.start(epoch: progress.epoch)
    let pipeline = try BatchPipeline(batches, from: progress.batch, transform: settings.transform)
    while true {
      if let most = settings.maximumSteps, progress.step >= most, progress.batch < batches.count {
        try save(report)
        return false
      }
      let step: Void? = try pipeline.next { (batch) throws(TesseraError) in
        try runner.step(
          batch, learningRate: settings.schedule.learningRate(atStep: progress.step), metrics: &progress.metrics)
      }
      guard step != nil else { return true }
      progress.step += 1
      progress.batch += 1
      try report(.step(progress, batches: batches.count))
      if let interval = settings.checkpointInterval, progress.step % interval == 0 { try save(report) }
    }
  }

  private func finishEpoch(_ result: EpochResult) {
    progress.epoch += 1
    progress.batch = 0
    progress.metrics = Metrics()
    guard let loss = result.validation?.loss else { return }
    if loss < (progress.bestLoss ?? .infinity) - settings.minimumImprovement {
      progress.bestLoss = loss
      progress.epochsWithoutImprovement = 0
    } else {
      progress.epochsWithoutImprovement += 1
    }
  }

  private func save(_ report: (TrainingEvent) throws(TesseraError) -> Void) throws(TesseraError) {
    guard let folder = settings.checkpoints else { return }
    var state = progress.state
    state["data"] = data
    try folder.save(TrainingCheckpoint(of: store, state: state), step: progress.step)
    try report(.checkpoint(path: folder.file(ofStep: progress.step)))
  }

  /// What the order of images and their masks follow from.
  private var data: String {
    let images = batches.dataset
    let parts = settings.microBatchSize.map { " in parts of \($0)" } ?? ""
    return "\(images.name), \(images.count) images, batches of \(settings.batchSize)\(parts), seed \(settings.seed)"
  }

  private static func require(_ images: ImageDataset, like train: ImageDataset) throws(TesseraError) {
    func text(_ images: ImageDataset) -> String {
      "\(images.height) x \(images.width) x \(images.channels) images of \(images.classes) classes"
    }
    guard text(images) == text(train) else {
      throw TesseraError(.shapeMismatch, at: images.name, expected: text(train), found: text(images))
    }
  }
}
