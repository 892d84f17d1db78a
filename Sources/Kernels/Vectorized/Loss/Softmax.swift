extension Kernels {
  public static func softmax(
    rows: Int, classes: Int, x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>
  ) {
    if classes <= lanes {
      forEachSquare(rows) { row, count in
        _ = softmaxSquare(rows: count, classes: classes, x: x + row * classes, y: y + row * classes)
      }
      return
    }
    for row in 0..<rows {
      _ = softmaxRow(classes: classes, x: x + row * classes, y: y + row * classes)
    }
  }

  public static func softmaxBackward(
    rows: Int, classes: Int, dy: UnsafePointer<Float>, y: UnsafePointer<Float>,
    dx: UnsafeMutablePointer<Float>, streams: Bool
  ) {
    // Short rows have no aligned vectors to speak of.
    let streams = streams && classes >= 8 * lanes
    for row in 0..<rows {
      let (dy, y, dx) = (dy + row * classes, y + row * classes, dx + row * classes)
      var products = Vector.zero
      forEachVector(classes) { i, valid in
        products = multiplyAdd(products, load(dy + i, valid: valid), load(y + i, valid: valid))
      }
      let sum = Vector(repeating: total(products))
      @inline(__always)
      func gradient(_ dy: Vector, _ y: Vector) -> Vector { y * (dy - sum) }
      map(count: classes, dy, y, to: dx, streams: streams, gradient)
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
  let inverse = Vector(repeating: 1 / sum)
  @inline(__always)
  func share(_ y: Vector) -> Vector { y * inverse }
  map(count: classes, y, to: y, streams: false, share)
  return (largest, sum)
}

/// Calls `body` for as many rows at a time as there are lanes, and for the rest.
@inline(__always)
func forEachSquare(_ rows: Int, _ body: (_ row: Int, _ count: Int) -> Void) {
  var row = 0
  while row < rows {
    body(row, min(lanes, rows - row))
    row += lanes
  }
}

/// The same of rows that a vector holds, as many as there are lanes at the most: transposed, so that no lane is idle and
/// sums and maxima are those of whole vectors. Gives back the largest elements and the sums of all rows.
@inline(__always)
func softmaxSquare(
  rows: Int, classes: Int, x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>
) -> (largest: Vector, sum: Vector) {
  var square = VectorSquare { _ in .zero }
  for i in 0..<rows { square[unchecked: i] = loadFirst(classes, x + i &* classes) }
  transpose(&square)
  var largest = Vector(repeating: -.infinity)
  for c in 0..<classes { largest = larger(square[unchecked: c], largest) }
  var sum = Vector.zero
  for c in 0..<classes {
    let value = exponential(square[unchecked: c] - largest)
    sum += value
    square[unchecked: c] = value
  }
  let inverse = 1 / sum
  for c in 0..<classes { square[unchecked: c] *= inverse }
  transpose(&square)
  for i in 0..<rows { storeFirst(classes, square[unchecked: i], y + i &* classes) }
  return (largest, sum)
}
