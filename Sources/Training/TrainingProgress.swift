import Tessera

/// How far training has come: with a store's variables, all that it goes on from.
public struct TrainingProgress: Hashable, Sendable {
  /// Epochs done.
  public internal(set) var epoch = 0
  /// Batches done in the epoch after those.
  public internal(set) var batch = 0
  /// Steps done in all epochs.
  public internal(set) var step = 0
  /// Of these batches.
  public internal(set) var metrics = Metrics()
  /// The lowest validation loss; nil before the first.
  public internal(set) var bestLoss: Double?
  /// Epochs since it was found.
  public internal(set) var epochsWithoutImprovement = 0

  init() {}

  /// As a checkpoint holds it. Numbers are written so that they are read as the same.
  var state: [String: String] {
    var state = [
      "epoch": "\(epoch)", "batch": "\(batch)", "step": "\(step)", "images": "\(metrics.images)",
      "loss_sum": "\(metrics.lossSum)", "top1": "\(metrics.firstHits)", "top5": "\(metrics.hitsInFive)",
      "epochs_without_improvement": "\(epochsWithoutImprovement)",
    ]
    if let bestLoss { state["best_loss"] = "\(bestLoss)" }
    return state
  }

  /// - Throws: ``TesseraError/Code/invalidFile`` if a number is missing or isn't one.
  init(_ state: [String: String]) throws(TesseraError) {
    func invalid(_ key: String, _ expected: String) -> TesseraError {
      TesseraError(
        .invalidFile, at: "checkpoint, state \(key)", expected: expected,
        found: state[key].map { "\"\($0)\"" } ?? "none")
    }
    func count(_ key: String) throws(TesseraError) -> Int {
      guard let text = state[key], let value = Int(text), value >= 0 else {
        throw invalid(key, "a whole number of 0 or more")
      }
      return value
    }
    func number(_ key: String) throws(TesseraError) -> Double {
      guard let text = state[key], let value = Double(text) else { throw invalid(key, "a number") }
      return value
    }
    epoch = try count("epoch")
    batch = try count("batch")
    step = try count("step")
    metrics = Metrics(
      images: try count("images"), lossSum: try number("loss_sum"), firstHits: try count("top1"),
      hitsInFive: try count("top5"))
    bestLoss = state["best_loss"] == nil ? nil : try number("best_loss")
    epochsWithoutImprovement = try count("epochs_without_improvement")
  }
}

/// What an epoch came to.
public struct EpochResult: Hashable, Sendable {
  /// Counted from 1.
  public let epoch: Int
  /// Steps done in all epochs.
  public let step: Int
  /// Of the last step.
  public let learningRate: Double
  /// Of the training images, each as it was learned from.
  public let training: Metrics
  /// Of the validation images after the epoch; nil without.
  public let validation: Metrics?
  /// Training images a second, since the epoch began or was resumed.
  public let imagesPerSecond: Double
}

/// What a training loop tells while it runs.
public enum TrainingEvent: Sendable {
  /// A step is done; `batches` make an epoch.
  case step(TrainingProgress, batches: Int)
  /// An epoch is done.
  case epoch(EpochResult)
  /// A checkpoint was written.
  case checkpoint(path: String)
}

/// Why training ended.
public enum TrainingEnd: Hashable, Sendable {
  /// All epochs are done.
  case epochs
  /// The validation loss didn't improve any more.
  case patience
  /// As many steps are done as were asked for.
  case steps
}
