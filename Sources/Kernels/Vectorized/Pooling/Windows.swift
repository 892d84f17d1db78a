import TesseraKernelContract

// The loops around all pooling kernels. Positions count elements from the start of a tensor.

/// The taps i of 0..<taps with 0 <= start + i dilation < extent.
@inline(__always)
func tapsInside(_ taps: Int, _ start: Int, _ dilation: Int, _ extent: Int) -> Range<Int> {
  if start >= 0 && start &+ (taps &- 1) &* dilation < extent { return 0..<taps }
  let first = start < 0 ? (dilation &- 1 &- start) / dilation : 0
  let end = start < extent ? (extent &- 1 &- start) / dilation &+ 1 : 0
  return first < end ? first..<max(first, min(taps, end)) : 0..<0
}

/// Where tap r, s of the window at `top`, `left` lies in x.
@inline(__always)
func pixel(_ g: PoolingGeometry, _ image: Int, _ top: Int, _ left: Int, _ r: Int, _ s: Int) -> Int {
  image &+ ((top &+ r &* g.dilationY) &* g.w &+ left &+ s &* g.dilationX) &* g.xPitch
}

/// Calls `body` for each window of the output rows, with the start of its image in x, its position in y, the taps that
/// lie in the image, and the row and column of its first tap.
/// - Parameter columns: of windows that are left out.
@inline(__always)
func forEachWindow(
  _ g: PoolingGeometry, rows: Range<Int>, except columns: Range<Int>,
  _ body: (
    _ image: Int, _ output: Int, _ r: Range<Int>, _ s: Range<Int>, _ top: Int, _ left: Int
  ) -> Void
) {
  for row in rows {
    let (n, p) = (row / g.p, row % g.p)
    let top = p &* g.strideY &- g.padTop
    let r = tapsInside(g.r, top, g.dilationY, g.h)
    for q in 0..<g.q where !columns.contains(q) {
      let left = q &* g.strideX &- g.padLeft
      let s = tapsInside(g.s, left, g.dilationX, g.w)
      body(n &* g.h &* g.w &* g.xPitch, (row &* g.q &+ q) &* g.c, r, s, top, left)
    }
  }
}

/// The windows that may see one pixel of the image.
struct WindowsOverPixel {
  /// The image's first window in y.
  var image: Int
  /// The pixel's row and column in the padded image.
  var reachY: Int, reachX: Int
  /// Rows and columns of windows that reach so far; those with dilated taps may see past the pixel.
  var p: Range<Int>, q: Range<Int>

  /// The tap at a distance from the first; negative if there is none.
  @inline(__always)
  static func tap(_ distance: Int, _ dilation: Int) -> Int {
    if dilation == 1 { return distance }
    let tap = distance / dilation
    return tap &* dilation == distance ? tap : -1
  }
}

/// Calls `body` for each pixel of the rows of dx, with the windows that may see it and its position in dx.
@inline(__always)
func forEachPixel(
  _ g: PoolingGeometry, rows: Range<Int>, _ body: (_ windows: WindowsOverPixel, _ target: Int) -> Void
) {
  let spanX = (g.s &- 1) &* g.dilationX
  for row in rows {
    let (n, y) = (row / g.h, row % g.h)
    let reachY = y &+ g.padTop
    // Windows p whose rows p stride + r dilation, 0 <= r < R, reach so far.
    let firstP = max(0, (reachY &- (g.r &- 1) &* g.dilationY &+ g.strideY &- 1) / g.strideY)
    let endP = min(g.p, reachY / g.strideY &+ 1)
    var windows = WindowsOverPixel(
      image: n &* g.p &* g.q, reachY: reachY, reachX: g.padLeft, p: firstP..<max(firstP, endP), q: 0..<0)
    var (firstQ, endQ) = (0, 0)
    for x in 0..<g.w {
      windows.reachX = x &+ g.padLeft
      while endQ < g.q && endQ &* g.strideX <= windows.reachX { endQ &+= 1 }
      while firstQ < endQ && firstQ &* g.strideX &+ spanX < windows.reachX { firstQ &+= 1 }
      windows.q = firstQ..<endQ
      body(windows, (row &* g.w &+ x) &* g.c)
    }
  }
}
