extension Kernels {
  /// Twelve chains a <- a * factor + term, which settle at 1: two multiply-adds a cycle with a latency of 4 need eight,
  /// and twelve with both operands fit 16 registers.
  public static func multiplyAddLoop(iterations: Int, sink: UnsafeMutablePointer<Float>) -> Double {
    let factor = Vector(repeating: 0.75)
    let term = Vector(repeating: 0.25)
    var chains = InlineArray<12, Vector>(repeating: .zero)
    for i in 0..<12 { chains[i] = Vector(repeating: sink.pointee + Float(i)) }
    for _ in 0..<iterations {
      for i in 0..<12 { chains[i] = multiplyAdd(term, chains[i], factor) }
    }
    var sum = Vector.zero
    for i in 0..<12 { sum += chains[i] }
    sink.pointee = total(sum)
    return Double(iterations) * 12 * 2 * Double(lanes)
  }

  /// Eight sums side by side, so that loads and not additions are the limit.
  public static func readLoop(count: Int, x: UnsafePointer<Float>) -> Float {
    var sums = InlineArray<8, Vector>(repeating: .zero)
    var i = 0
    while i &+ 8 &* lanes <= count {
      for j in 0..<8 { sums[j] += load(x + i + j &* lanes) }
      i &+= 8 &* lanes
    }
    forEachVector(count &- i) { j, valid in sums[0] += load(x + i + j, valid: valid) }
    var sum = Vector.zero
    for j in 0..<8 { sum += sums[j] }
    return total(sum)
  }
}
