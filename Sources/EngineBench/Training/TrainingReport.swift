import Dispatch
import Tessera

/// Trains and tells how it goes, ending with the line `test accuracy NN.NN %`.
enum TrainingReport {
  static func train(_ run: TrainingRun) throws(TesseraError) {
    var bar = ProgressBar()
    let epochs = run.settings.epochs
    for epoch in 0..<epochs {
      let start = DispatchTime.now().uptimeNanoseconds
      func text(_ tally: TrainingRun.Tally) -> String {
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
        return "epoch \(epoch + 1)/\(epochs)  loss \(Format.fixed(tally.meanLoss, 4))  "
          + "accuracy \(Format.fixed(100 * tally.accuracy, 2)) %  "
          + "\(Format.grouped(Double(tally.images) / max(seconds, 1e-9))) images/s"
      }
      let tally = try run.trainEpoch(epoch) { share, tally in bar.update(share, text(tally)) }
      bar.finish(text(tally))
    }
    printLine("test accuracy \(Format.fixed(100 * (try run.testAccuracy()), 2)) %")
  }
}
