/// Softmax and cross-entropy over the rows of [rows, classes].
public protocol LossKernels {
  /// y = exp(x - max) / sum exp(x - max), row by row.
  static func softmax(
    rows: Int, classes: Int, x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>)

  /// dx = y * (dy - sum of dy * y), row by row.
  static func softmaxBackward(
    rows: Int, classes: Int, dy: UnsafePointer<Float>, y: UnsafePointer<Float>,
    dx: UnsafeMutablePointer<Float>, streams: Bool)

  /// losses[row] = log sum exp(x) - x[label], stable for any finite x; probabilities = softmax(x).
  /// Labels were checked to be in 0..<classes.
  static func softmaxCrossEntropy(
    rows: Int, classes: Int, x: UnsafePointer<Float>, labels: UnsafePointer<Int32>,
    losses: UnsafeMutablePointer<Float>, probabilities: UnsafeMutablePointer<Float>)

  /// dx = (probabilities - onehot(label)) * factor.
  static func softmaxCrossEntropyBackward(
    rows: Int, classes: Int, probabilities: UnsafePointer<Float>, labels: UnsafePointer<Int32>,
    factor: Float, dx: UnsafeMutablePointer<Float>, streams: Bool)
}
