public import TesseraKernelContract

extension Kernels {
  public static func fold(
    _ function: FoldFunction, rows: Int, width: Int, x: UnsafePointer<Float>, rowStep: Int,
    y: UnsafeMutablePointer<Float>
  ) {
    if width == 1 && rowStep == 1 {
      y[0] = foldRow(function, count: rows, x: x)
      return
    }
    switch function {
    case .sum:
      forEachVector(width) { j, valid in
        var total = Vector.zero
        var row = 0
        while row < rows {
          let last = min(row &+ 64, rows)
          var part = Vector.zero
          while row < last {
            part += load(x + (row &* rowStep &+ j), valid: valid)
            row &+= 1
          }
          total += part
        }
        store(total, y + j, valid: valid)
      }
    case .maximum: foldColumns(rows: rows, width: width, x: x, rowStep: rowStep, y: y, largerOrNaN)
    case .minimum: foldColumns(rows: rows, width: width, x: x, rowStep: rowStep, y: y, smallerOrNaN)
    case .product: foldColumns(rows: rows, width: width, x: x, rowStep: rowStep, y: y, pairProduct)
    }
  }

  private static func foldRow(_ function: FoldFunction, count: Int, x: UnsafePointer<Float>) -> Float {
    switch function {
    case .sum: sum(count: count, x: x)
    case .maximum: foldContiguous(count: count, x: x, largerOrNaN)
    case .minimum: foldContiguous(count: count, x: x, smallerOrNaN)
    case .product: foldContiguous(count: count, x: x, pairProduct)
    }
  }
}

@inline(__always)
private func foldColumns(
  rows: Int, width: Int, x: UnsafePointer<Float>, rowStep: Int, y: UnsafeMutablePointer<Float>,
  _ combine: (Vector, Vector) -> Vector
) {
  forEachVector(width) { j, valid in
    var result = load(x + j, valid: valid)
    var row = 1
    while row < rows {
      result = combine(load(x + (row &* rowStep &+ j), valid: valid), result)
      row &+= 1
    }
    store(result, y + j, valid: valid)
  }
}

/// Whole vectors, then lane by lane.
@inline(__always)
private func foldContiguous(
  count: Int, x: UnsafePointer<Float>, _ combine: (Vector, Vector) -> Vector
) -> Float {
  guard count >= lanes else {
    var result = Vector(repeating: x[0])
    for i in 1..<max(count, 1) { result = combine(Vector(repeating: x[i]), result) }
    return result[0]
  }
  var accumulator = load(x)
  var i = lanes
  while i &+ lanes <= count {
    accumulator = combine(load(x + i), accumulator)
    i &+= lanes
  }
  var result = Vector(repeating: accumulator[0])
  for lane in 1..<lanes { result = combine(Vector(repeating: accumulator[lane]), result) }
  while i < count {
    result = combine(Vector(repeating: x[i]), result)
    i &+= 1
  }
  return result[0]
}
