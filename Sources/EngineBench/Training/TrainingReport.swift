import Dispatch
import Tessera
import TesseraData
import TesseraFormats
import TesseraTraining

/// Trains and tells how it goes, ending with the line `test accuracy NN.NN %`.
enum TrainingReport {
  static func train(_ loop: TrainingLoop, epochs: Int, test: ImageDataset) throws(TesseraError) {
    var bar = ProgressBar()
    var start = DispatchTime.now().uptimeNanoseconds
    var firstImage = loop.progress.metrics.images
    func text(epoch: Int, _ metrics: Metrics, _ rate: Double) -> String {
      "epoch \(epoch)/\(epochs)  loss \(Format.fixed(metrics.loss, 4))  "
        + "accuracy \(Format.fixed(100 * metrics.top1, 2)) %  \(Format.grouped(rate)) images/s"
    }
    let end = try loop.run { event in
      switch event {
      case .step(let progress, let batches):
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
        let rate = Double(progress.metrics.images - firstImage) / max(seconds, 1e-9)
        bar.update(
          Double(progress.batch) / Double(batches), text(epoch: progress.epoch + 1, progress.metrics, rate))
      case .epoch(let result):
        bar.finish(text(epoch: result.epoch, result.training, result.imagesPerSecond))
        if let validation = result.validation {
          printLine(
            "  validation  loss \(Format.fixed(validation.loss, 4))  top-1 \(Format.fixed(100 * validation.top1, 2)) %  "
              + "top-5 \(Format.fixed(100 * validation.top5, 2)) %")
        }
        start = DispatchTime.now().uptimeNanoseconds
        firstImage = 0
      case .checkpoint: break
      }
    }
    switch end {
    case .epochs: break
    case .patience: printLine("stopped after epoch \(loop.progress.epoch): the validation loss doesn't improve")
    case .steps: bar.finish("stopped after step \(loop.progress.step)")
    }
    printLine("test accuracy \(Format.fixed(100 * (try loop.evaluate(test).top1), 2)) %")
  }
}
