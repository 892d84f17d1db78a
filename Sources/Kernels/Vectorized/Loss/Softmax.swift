extension Kernels {
  public static func softmax(
    rows: Int, classes: Int, x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<rows {
      _ = softmaxRow(classes: classes, x: x + row * classes, y: y + row * classes)
    }
  }

  public static func softmaxBackward(
    rows: Int, classes: Int, dy: UnsafePointer<Float>, y: UnsafePointer<Float>,
    dx: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<rows {
      let (dy, y, dx) = (dy + row * classes, y + row * classes, dx + row * classes)
      var products = Vector.zero
      forEachVector(classes) { i, valid in
        products = multiplyAdd(products, load(dy + i, valid: valid), load(y + i, valid: valid))
      }
      let sum = Vector(repeating: total(products))
      @inline(__always)
      func gradient(_ dy: Vector, _ y: Vector) -> Vector { y * (dy - sum) }
      map(count: classes, dy, y, to: dx, gradient)
    }
  }
}

/// y = softmax(x) of one row; gives back the largest element and the sum of exp(x - largest).
@inline(__always)
func softmaxRow(
  classes: Int, x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>
) -> (largest: Float, sum: Float) {
  var maxima = Vector(repeating: -.infinity)
  forEachVector(classes) { i, valid in
    maxima = larger(fill(load(x + i, valid: valid), from: valid, with: -.infinity), maxima)
  }
  let largest = maximum(maxima)

  var sums = Vector.zero
  forEachVector(classes) { i, valid in
    let value = exponential(load(x + i, valid: valid) - largest)
    sums += fill(value, from: valid, with: 0)
    store(value, y + i, valid: valid)
  }
  let sum = total(sums)
  @inline(__always)
  func share(_ y: Vector) -> Vector { y / sum }
  map(count: classes, y, to: y, share)
  return (largest, sum)
}
