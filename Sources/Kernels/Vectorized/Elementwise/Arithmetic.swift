extension Kernels {
  public static func add(
    count: Int, a: UnsafePointer<Float>, b: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>,
    streams: Bool
  ) {
    @inline(__always)
    func sum(_ a: Vector, _ b: Vector) -> Vector { a + b }
    map(count: count, a, b, to: y, streams: streams, sum)
  }

  public static func subtract(
    count: Int, a: UnsafePointer<Float>, b: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>,
    streams: Bool
  ) {
    @inline(__always)
    func difference(_ a: Vector, _ b: Vector) -> Vector { a - b }
    map(count: count, a, b, to: y, streams: streams, difference)
  }

  public static func multiply(
    count: Int, a: UnsafePointer<Float>, b: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>,
    streams: Bool
  ) {
    @inline(__always)
    func product(_ a: Vector, _ b: Vector) -> Vector { a * b }
    map(count: count, a, b, to: y, streams: streams, product)
  }

  public static func affine(
    count: Int, factor: Float, offset: Float, x: UnsafePointer<Float>,
    y: UnsafeMutablePointer<Float>,
    streams: Bool
  ) {
    let (factor, offset) = (Vector(repeating: factor), Vector(repeating: offset))
    @inline(__always)
    func affine(_ x: Vector) -> Vector { multiplyAdd(offset, x, factor) }
    map(count: count, x, to: y, streams: streams, affine)
  }

  public static func scaledDifference(
    count: Int, factor: Float, a: UnsafePointer<Float>, b: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>,
    streams: Bool
  ) {
    let factor = Vector(repeating: factor)
    @inline(__always)
    func difference(_ a: Vector, _ b: Vector) -> Vector { factor * (a - b) }
    map(count: count, a, b, to: y, streams: streams, difference)
  }

  public static func affine(
    count: Int, factor: Float, offset: Float, bytes: UnsafePointer<UInt8>,
    y: UnsafeMutablePointer<Float>
  ) {
    let (factor, offset) = (Vector(repeating: factor), Vector(repeating: offset))
    forEachVector(count) { i, valid in
      // A byte b in the low bits of 2^23 is the float 2^23 + b.
      var bits = IntVector(repeating: 0x4B00_0000)
      for lane in 0..<valid { bits[lane] |= Int32(bytes[i &+ lane]) }
      let x = unsafeBitCast(bits, to: Vector.self) - 0x1p23
      store(multiplyAdd(offset, x, factor), y + i, valid: valid)
    }
  }
}
