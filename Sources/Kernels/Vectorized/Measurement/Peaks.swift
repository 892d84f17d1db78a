import CTesseraShims
public import TesseraKernelContract

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

  public static func transferLoop(
    _ pattern: TransferPattern, streams: Bool, count: Int, a: UnsafePointer<Float>, b: UnsafePointer<Float>,
    y: UnsafeMutablePointer<Float>
  ) -> Float {
    @inline(__always)
    func triad(_ i: Int, _ valid: Int) -> Vector {
      multiplyAdd(load(a + i, valid: valid), load(b + i, valid: valid), Vector(repeating: 0.5))
    }
    @inline(__always)
    func copy(_ i: Int, _ valid: Int) -> Vector { load(a + i, valid: valid) }
    @inline(__always)
    func zero(_ i: Int, _ valid: Int) -> Vector { .zero }
    switch pattern {
    case .read: return readLoop(count: count, a)
    case .triad: transfer(count: count, to: y, streams, triad)
    case .copy: transfer(count: count, to: y, streams, copy)
    case .fill: transfer(count: count, to: y, streams, zero)
    }
    return 0
  }

  /// Eight sums side by side, so that loads and not additions are the limit.
  @inline(__always)
  private static func readLoop(count: Int, _ x: UnsafePointer<Float>) -> Float {
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

  @inline(__always)
  private static func transfer(
    count: Int, to y: UnsafeMutablePointer<Float>, _ streams: Bool, _ value: (_ i: Int, _ valid: Int) -> Vector
  ) {
    if streams {
      forEachVector(count) { i, valid in
        if valid == lanes { stream(value(i, lanes), y + i) } else { store(value(i, valid), y + i, valid: valid) }
      }
      tessera_stream_fence()
    } else {
      forEachVector(count) { i, valid in store(value(i, valid), y + i, valid: valid) }
    }
  }
}
