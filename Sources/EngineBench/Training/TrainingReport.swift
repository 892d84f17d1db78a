import Dispatch
import Tessera
import TesseraData
import TesseraFormats
import TesseraTraining

/// Trains and tells how it goes, ending with the line `test accuracy NN.NN %`.
enum TrainingReport {
  static func train(_ loop: TrainingLoop, epochs: Int, test: ImageDataset, _ writer: ResultWriter) throws(TesseraError)
  {
    var progress = writer.progress("epoch", of: epochs)
    var start = DispatchTime.now().uptimeNanoseconds
    var firstImage = loop.progress.metrics.images
    var epoch: Int?
    let end = try loop.run { (event) throws(TesseraError) in
      switch event {
      case .step(let state, let batches):
        if epoch != state.epoch { progress.begin() }
        epoch = state.epoch
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
        let rate = Double(state.metrics.images - firstImage) / max(seconds, 1e-9)
        progress.update(
          Double(state.batch) / Double(batches), text(state.epoch + 1, of: epochs, state.metrics, imagesPerSecond: rate)
        )
      case .epoch(let result):
        let validation = result.validation.map {
          "\n  validation  loss \(Format.fixed($0.loss, 4))  top-1 \(Format.fixed(100 * $0.top1, 2)) %  "
            + "top-5 \(Format.fixed(100 * $0.top5, 2)) %"
        }
        try writer.write(
          EpochRecord(result),
          text: text(result.epoch, of: epochs, result.training, imagesPerSecond: result.imagesPerSecond)
            + (validation ?? ""))
        start = DispatchTime.now().uptimeNanoseconds
        firstImage = 0
      case .checkpoint: break
      }
      try Interruption.check()
    }
    progress.end()
    switch end {
    case .epochs: break
    case .patience:
      try writer.text("stopped after epoch \(loop.progress.epoch): the validation loss doesn't improve")
    case .steps: try writer.text("stopped after step \(loop.progress.step)")
    }
    let metrics = try loop.evaluate(test)
    try writer.write(
      TestRecord(images: metrics.images, accuracy: metrics.top1, loss: metrics.loss),
      text: "test accuracy \(Format.fixed(100 * metrics.top1, 2)) %")
  }

  private static func text(_ epoch: Int, of epochs: Int, _ metrics: Metrics, imagesPerSecond: Double) -> String {
    "epoch \(epoch)/\(epochs)  loss \(Format.fixed(metrics.loss, 4))  "
      + "accuracy \(Format.fixed(100 * metrics.top1, 2)) %  \(Format.grouped(imagesPerSecond)) images/s"
  }
}

/// One pass over the training images.
private struct EpochRecord: Record {
  static let recordName = "epoch"

  let epoch: Int
  let step: Int
  let learningRate: Double
  let loss: Double
  let accuracy: Double
  @Nullable private(set) var validationLoss: Double?
  @Nullable private(set) var validationAccuracy: Double?
  let imagesPerSecond: Double

  enum CodingKeys: String, CodingKey {
    case epoch, step, loss, accuracy
    case learningRate = "learning_rate"
    case validationLoss = "validation_loss"
    case validationAccuracy = "validation_accuracy"
    case imagesPerSecond = "images_per_second"
  }

  init(_ result: EpochResult) {
    (epoch, step, learningRate) = (result.epoch, result.step, result.learningRate)
    (loss, accuracy) = (result.training.loss, result.training.top1)
    (validationLoss, validationAccuracy) = (result.validation?.loss, result.validation?.top1)
    imagesPerSecond = result.imagesPerSecond
  }
}

/// How the trained network names images that it didn't learn from.
private struct TestRecord: Record {
  static let recordName = "test"

  let images: Int
  let accuracy: Double
  let loss: Double
}
