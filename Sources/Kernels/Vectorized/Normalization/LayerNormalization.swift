extension Kernels {
  /// Three passes over a row, two of which find it in level 1: its mean, its variance around that, and y.
  public static func layerNormalize(
    rows: Int, width: Int, x: UnsafePointer<Float>, scale: UnsafePointer<Float>, shift: UnsafePointer<Float>,
    epsilon: Float, y: UnsafeMutablePointer<Float>, mean: UnsafeMutablePointer<Float>,
    inverse: UnsafeMutablePointer<Float>
  ) {
    let count = Float(width)
    for row in 0..<rows {
      let (x, y) = (x + row &* width, y + row &* width)
      let center = sumOfVectors(width) { i, valid in load(x + i, valid: valid) } / count
      let middle = Vector(repeating: center)
      let squares = sumOfVectors(width) { i, valid in
        let deviation = load(x + i, valid: valid) - middle
        return deviation * deviation
      }
      let factor = 1 / (squares / count + epsilon).squareRoot()
      forEachVector(width) { i, valid in
        // The mean goes first: x and mean may both be large, and their difference is exact.
        let normalized = (load(x + i, valid: valid) - middle) * Vector(repeating: factor)
        store(
          multiplyAdd(load(shift + i, valid: valid), normalized, load(scale + i, valid: valid)), y + i, valid: valid)
      }
      (mean[row], inverse[row]) = (center, factor)
    }
  }

  public static func layerNormalizeBackward(
    rows: Int, width: Int, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, mean: UnsafePointer<Float>,
    inverse: UnsafePointer<Float>, scale: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>,
    sums: UnsafeMutablePointer<Float>
  ) {
    let (shiftSums, scaleSums) = (sums, sums + width)
    forEachVector(2 &* width) { i, valid in store(.zero, sums + i, valid: valid) }
    for row in 0..<rows {
      let (dy, x, dx) = (dy + row &* width, x + row &* width, dx + row &* width)
      let middle = Vector(repeating: mean[row])
      let factor = Vector(repeating: inverse[row])
      let meanDelta =
        sumOfVectors(width) { i, valid in
          load(dy + i, valid: valid) * load(scale + i, valid: valid)
        } / Float(width)
      let meanProduct =
        sumOfVectors(width) { i, valid in
          let normalized = (load(x + i, valid: valid) - middle) * factor
          return load(dy + i, valid: valid) * load(scale + i, valid: valid) * normalized
        } / Float(width)
      forEachVector(width) { i, valid in
        let delta = load(dy + i, valid: valid)
        let normalized = (load(x + i, valid: valid) - middle) * factor
        store(load(shiftSums + i, valid: valid) + delta, shiftSums + i, valid: valid)
        store(multiplyAdd(load(scaleSums + i, valid: valid), delta, normalized), scaleSums + i, valid: valid)
        let centered = multiplyAdd(Vector(repeating: -meanDelta), delta, load(scale + i, valid: valid))
        store(
          factor * multiplyAdd(centered, normalized, Vector(repeating: -meanProduct)), dx + i, valid: valid)
      }
    }
  }
}
