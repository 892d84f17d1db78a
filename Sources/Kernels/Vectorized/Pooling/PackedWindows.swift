import TesseraKernelContract

/// Neighbouring windows of one row whose channels, fewer than half a vector's lanes, fill a vector together: lane i is
/// channel i % C of window i / C.
struct PackedWindows {
  /// How many of them.
  let windows: Int
  /// Where each lane's element lies from that of the first.
  private let offsets: IntVector
  /// Floats from the first element to the end of the last: two vectors at most.
  private let span: Int
  /// The columns of windows whose taps all lie in the image.
  let columns: Range<Int>

  /// Nil: channels fill a vector of their own, windows are too far apart, or so many of them don't lie in the image.
  @inline(__always)
  init?(_ g: PoolingGeometry) {
    guard g.c > 0, 2 &* g.c <= lanes, max(g.strideX, g.xPitch) <= 2 &* lanes else { return nil }
    windows = lanes / g.c
    span = (windows &- 1) &* g.strideX &* g.xPitch &+ g.c
    guard span <= 2 &* lanes else { return nil }
    var offsets = IntVector(repeating: 0)
    for lane in 0..<windows &* g.c {
      offsets[lane] = Int32(truncatingIfNeeded: lane / g.c &* g.strideX &* g.xPitch &+ lane % g.c)
    }
    self.offsets = offsets
    let first = ceilingQuotient(g.padLeft, g.strideX)
    let last = g.w &- 1 &- (g.s &- 1) &* g.dilationX &+ g.padLeft
    columns = first..<max(first, last < 0 ? 0 : min(g.q, last / g.strideX &+ 1))
    guard columns.count >= windows else { return nil }
  }

  /// The elements of one tap, of which that of the first window's first channel is `first`.
  @inline(__always)
  func values(_ first: UnsafePointer<Float>) -> Vector {
    picked(
      load(first, valid: min(span, lanes)), load(first + lanes, valid: max(0, span &- lanes)), offsets)
  }

  /// Calls `body` with the first of each group of columns; the last group may repeat some of the one before.
  @inline(__always)
  func forEachGroup(_ body: (_ q: Int) -> Void) {
    var q = columns.lowerBound
    while q &+ windows <= columns.upperBound {
      body(q)
      q &+= windows
    }
    if q < columns.upperBound { body(columns.upperBound &- windows) }
  }
}
