import Foundation
import Tessera

/// A file with a line for each epoch.
struct TrainingLog {
  private let path: String
  private let isCSV: Bool

  private static let columns = [
    "epoch", "step", "learning_rate", "loss", "top1", "top5", "validation_loss", "validation_top1", "validation_top5",
    "images_per_second",
  ]

  /// Keeps the lines of the epochs done, if training was resumed, and drops what came after them; begins anew at 0.
  /// - Throws: `invalidFile` if the file can't be written.
  init(path: String, epochs: Int) throws(TesseraError) {
    self.path = path
    isCSV = path.hasSuffix(".csv")
    var lines: [Substring] = []
    if epochs > 0, let text = try? String(contentsOfFile: path, encoding: .utf8) {
      lines = text.split(separator: "\n").dropFirst(isCSV ? 1 : 0).prefix(epochs).map { $0 }
    }
    if isCSV { lines.insert(Self.columns.joined(separator: ",")[...], at: 0) }
    do {
      try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(fileURLWithPath: path))
    } catch {
      throw failure(error)
    }
  }

  /// Appends a line.
  /// - Throws: `invalidFile` if it can't be written.
  func append(_ result: EpochResult) throws(TesseraError) {
    func number(_ value: Double?) -> String? { value.flatMap { $0.isFinite ? "\($0)" : nil } }
    let values = [
      "\(result.epoch)", "\(result.step)", number(result.learningRate), number(result.training.loss),
      number(result.training.top1), number(result.training.top5), number(result.validation?.loss),
      number(result.validation?.top1), number(result.validation?.top5), number(result.imagesPerSecond),
    ]
    let line =
      isCSV
      ? values.map { $0 ?? "" }.joined(separator: ",")
      : "{" + zip(Self.columns, values).map { "\"\($0)\":\($1 ?? "null")" }.joined(separator: ",") + "}"
    do {
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      defer { try? file.close() }
      try file.seekToEnd()
      try file.write(contentsOf: Data((line + "\n").utf8))
    } catch {
      throw failure(error)
    }
  }

  private func failure(_ error: any Error) -> TesseraError {
    TesseraError(
      .invalidFile, at: path, expected: "a file that can be written", found: error.localizedDescription,
      underlying: error)
  }
}
