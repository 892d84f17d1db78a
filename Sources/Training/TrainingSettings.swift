public import Tessera
public import TesseraData
public import TesseraFormats

/// What a training loop does beyond the model and the data.
public struct TrainingSettings: Sendable {
  /// Passes over the training images.
  public var epochs = 10
  /// Images a step.
  public var batchSize = 64
  /// Images that are in memory at once: gradients of such parts of a batch are summed. Nil: the whole batch.
  public var microBatchSize: Int?
  /// Its gradients may be clipped.
  public var optimizer = Optimizer.sgd(momentum: 0.9)
  /// By step.
  public var schedule = LearningRateSchedule.constant(0.01)
  /// By what the rate is multiplied for weights of other parameter groups than the default one; 1 for those not named.
  public var groupRates: [String: Double] = [:]
  /// The share of the target that all classes have alike, in 0...1.
  public var labelSmoothing = 0.0
  /// Of the order of the images, and of what is random about each. Weights and dropout follow from the store's.
  public var seed: UInt64 = 0
  /// What happens to images; what is random about it to those of the training only.
  public var transform = ImageTransform()
  /// Training ends after so many epochs in a row whose validation loss isn't lower than the best by
  /// ``minimumImprovement``; nil: never early.
  public var patience: Int?
  /// How much lower a loss has to be.
  public var minimumImprovement = 0.0
  /// Where checkpoints go: after each epoch, every ``checkpointInterval`` steps, and when ``maximumSteps`` are done.
  public var checkpoints: CheckpointFolder?
  /// Steps from one checkpoint within an epoch to the next; nil: none within an epoch.
  public var checkpointInterval: Int?
  /// A file with a line for each epoch: values separated by commas where its name ends in `.csv`, else objects in JSON.
  public var log: String?
  /// Steps after which training ends, those before it was resumed included; nil: as many as the epochs have.
  public var maximumSteps: Int?
  /// Nil: the environment's, or one a usable core.
  public var workers: Int?
  /// For all programs.
  public var options = Program.Options()

  /// Ten epochs of 64 images by stochastic gradient descent.
  public init() {}

  /// Steps of an epoch, the last of which may have fewer images.
  public func stepsPerEpoch(_ dataset: ImageDataset) -> Int {
    (dataset.count + max(1, batchSize) - 1) / max(1, batchSize)
  }

  /// - Throws: ``TesseraError/Code/invalidAttribute`` for numbers out of range.
  func check() throws(TesseraError) {
    func require(_ condition: Bool, _ what: String, _ expected: String, _ found: String) throws(TesseraError) {
      guard condition else {
        throw TesseraError(.invalidAttribute, at: "training, \(what)", expected: expected, found: found)
      }
    }
    let counts: [(String, Int?)] = [
      ("epochs", epochs), ("batch size", batchSize), ("micro-batch size", microBatchSize), ("patience", patience),
      ("checkpoint interval", checkpointInterval), ("maximum steps", maximumSteps),
    ]
    for (what, count) in counts {
      if let count { try require(count >= 1, what, "1 or more", "\(count)") }
    }
    try require(minimumImprovement >= 0, "minimum improvement", "0 or more", "\(minimumImprovement)")
  }
}
