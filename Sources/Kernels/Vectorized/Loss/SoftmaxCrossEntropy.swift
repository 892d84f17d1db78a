extension Kernels {
  public static func softmaxCrossEntropy(
    rows: Int, classes: Int, x: UnsafePointer<Float>, labels: UnsafePointer<Int32>,
    losses: UnsafeMutablePointer<Float>, probabilities: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<rows {
      let logits = x + row * classes
      let (largest, sum) = softmaxRow(
        classes: classes, x: logits, y: probabilities + row * classes)
      // The difference of the two logits is exact where it matters: when they are close.
      losses[row] =
        logarithm(Vector(repeating: sum))[0] + (largest - logits[Int(labels[row])])
    }
  }

  public static func softmaxCrossEntropyBackward(
    rows: Int, classes: Int, probabilities: UnsafePointer<Float>, labels: UnsafePointer<Int32>,
    factor: Float, dx: UnsafeMutablePointer<Float>
  ) {
    @inline(__always)
    func scaled(_ p: Vector) -> Vector { p * factor }
    for row in 0..<rows {
      let label = row * classes + Int(labels[row])
      // dx may be the probabilities themselves: this one must be read first.
      let target = (probabilities[label] - 1) * factor
      map(count: classes, probabilities + row * classes, to: dx + row * classes, scaled)
      dx[label] = target
    }
  }
}
