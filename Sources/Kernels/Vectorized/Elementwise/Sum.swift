extension Kernels {
  /// Pairwise: halves are summed apart, down to leaves of 64 vectors in four accumulators. A leaf's chain of 16
  /// additions is shorter than what recursion to single elements would give.
  public static func sum(count: Int, x: UnsafePointer<Float>) -> Float {
    let leaf = 64 * lanes
    if count <= leaf { return leafSum(count: count, x: x) }
    let leaves = (count + leaf - 1) / leaf
    let left = (leaves + 1) / 2 * leaf
    return sum(count: left, x: x) + sum(count: count - left, x: x + left)
  }

  public static func allFinite(count: Int, x: UnsafePointer<Float>) -> Bool {
    // 0 * x is NaN iff x isn't finite, and a NaN stays in its accumulator.
    var accumulators = InlineArray<4, Vector>(repeating: .zero)
    @inline(__always)
    func probe(_ sum: Vector, _ x: Vector) -> Vector { multiplyAdd(sum, x, .zero) }
    accumulate(count: count, x, &accumulators, probe)
    return total(combined(accumulators)) == 0
  }

  /// As ``sum(count:x:)``.
  public static func squaredDistance(count: Int, a: UnsafePointer<Float>, b: UnsafePointer<Float>) -> Float {
    let leaf = 64 * lanes
    if count <= leaf { return leafSquaredDistance(count: count, a: a, b: b) }
    let leaves = (count + leaf - 1) / leaf
    let left = (leaves + 1) / 2 * leaf
    return squaredDistance(count: left, a: a, b: b) + squaredDistance(count: count - left, a: a + left, b: b + left)
  }

  @inline(never)
  private static func leafSquaredDistance(count: Int, a: UnsafePointer<Float>, b: UnsafePointer<Float>) -> Float {
    var accumulators = InlineArray<4, Vector>(repeating: .zero)
    var i = 0
    while i &+ 4 &* lanes <= count {
      for j in 0..<4 {
        let difference = load(a + i + j &* lanes) - load(b + i + j &* lanes)
        accumulators[j] = multiplyAdd(accumulators[j], difference, difference)
      }
      i &+= 4 &* lanes
    }
    forEachVector(count &- i) { j, valid in
      let difference = load(a + i + j, valid: valid) - load(b + i + j, valid: valid)
      accumulators[0] = multiplyAdd(accumulators[0], difference, difference)
    }
    return total(combined(accumulators))
  }

  /// As ``sum(count:x:)``.
  public static func sumOfSquares(count: Int, x: UnsafePointer<Float>) -> Float {
    let leaf = 64 * lanes
    if count <= leaf { return leafSumOfSquares(count: count, x: x) }
    let leaves = (count + leaf - 1) / leaf
    let left = (leaves + 1) / 2 * leaf
    return sumOfSquares(count: left, x: x) + sumOfSquares(count: count - left, x: x + left)
  }

  @inline(never)
  private static func leafSumOfSquares(count: Int, x: UnsafePointer<Float>) -> Float {
    var accumulators = InlineArray<4, Vector>(repeating: .zero)
    @inline(__always)
    func add(_ sum: Vector, _ x: Vector) -> Vector { multiplyAdd(sum, x, x) }
    accumulate(count: count, x, &accumulators, add)
    return total(combined(accumulators))
  }

  @inline(never)
  private static func leafSum(count: Int, x: UnsafePointer<Float>) -> Float {
    var accumulators = InlineArray<4, Vector>(repeating: .zero)
    @inline(__always)
    func add(_ sum: Vector, _ x: Vector) -> Vector { sum + x }
    accumulate(count: count, x, &accumulators, add)
    return total(combined(accumulators))
  }
}

/// Feeds the vectors of x to four accumulators in turn: enough independent chains to hide an addition's latency.
@inline(__always)
private func accumulate(
  count: Int, _ x: UnsafePointer<Float>, _ accumulators: inout InlineArray<4, Vector>,
  _ combine: (Vector, Vector) -> Vector
) {
  var i = 0
  while i &+ 4 &* lanes <= count {
    for j in 0..<4 { accumulators[j] = combine(accumulators[j], load(x + i + j &* lanes)) }
    i &+= 4 &* lanes
  }
  forEachVector(count &- i) { j, valid in
    accumulators[0] = combine(accumulators[0], load(x + i + j, valid: valid))
  }
}

@inline(__always)
private func combined(_ accumulators: InlineArray<4, Vector>) -> Vector {
  (accumulators[0] + accumulators[1]) + (accumulators[2] + accumulators[3])
}
