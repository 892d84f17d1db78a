extension Kernels {
  public static func softmaxCrossEntropy(
    rows: Int, classes: Int, x: UnsafePointer<Float>, labels: UnsafePointer<Int32>,
    losses: UnsafeMutablePointer<Float>, probabilities: UnsafeMutablePointer<Float>
  ) {
    if classes <= lanes {
      forEachSquare(rows) { row, count in
        let logits = x + row * classes
        // The logits of the labels wait where the losses go.
        for i in 0..<count { losses[row + i] = logits[i * classes + Int(labels[row + i])] }
        let (largest, sum) = softmaxSquare(
          rows: count, classes: classes, x: logits, y: probabilities + row * classes)
        let difference = largest - loadFirst(count, losses + row)
        storeFirst(count, logarithm(sum) + difference, losses + row)
      }
      return
    }
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
    factor: Float, dx: UnsafeMutablePointer<Float>, streams: Bool
  ) {
    @inline(__always)
    func scaled(_ p: Vector) -> Vector { p * factor }
    // The elements of the labels are written again, and shouldn't be in all lines.
    let streams = streams && classes >= 8 * lanes
    if UnsafePointer(dx) != probabilities {
      map(count: rows * classes, probabilities, to: dx, streams: streams, scaled)
      for row in 0..<rows {
        let label = row * classes + Int(labels[row])
        dx[label] = (probabilities[label] - 1) * factor
      }
      return
    }
    for row in 0..<rows {
      let label = row * classes + Int(labels[row])
      // dx is where the probabilities are: this one must be read first.
      let target = (probabilities[label] - 1) * factor
      map(count: classes, probabilities + row * classes, to: dx + row * classes, streams: false, scaled)
      dx[label] = target
    }
  }
}
