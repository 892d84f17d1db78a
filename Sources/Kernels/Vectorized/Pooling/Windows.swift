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
  image &+ ((top &+ r &* g.dilationY) &* g.w &+ left &+ s &* g.dilationX) &* g.c
}

/// Calls `body` for each window of the output rows, with the start of its image in x, its position in y, the taps that
/// lie in the image, and the row and column of its first tap.
@inline(__always)
func forEachWindow(
  _ g: PoolingGeometry, rows: Range<Int>,
  _ body: (
    _ image: Int, _ output: Int, _ r: Range<Int>, _ s: Range<Int>, _ top: Int, _ left: Int
  ) -> Void
) {
  for row in rows {
    let (n, p) = (row / g.p, row % g.p)
    let top = p &* g.strideY &- g.padTop
    let r = tapsInside(g.r, top, g.dilationY, g.h)
    for q in 0..<g.q {
      let left = q &* g.strideX &- g.padLeft
      let s = tapsInside(g.s, left, g.dilationX, g.w)
      body(n &* g.h &* g.w &* g.c, (row &* g.q &+ q) &* g.c, r, s, top, left)
    }
  }
}

/// Sets the rows of dx to 0 and calls `body` for each pair of a window and an element of them that it sees, in scan
/// order of the windows: with the window's position in dy, the element's in dx, the tap r * S + s that joins them, and
/// the row and column of the window's first tap. A row of dx stays in the first cache meanwhile.
@inline(__always)
func forEachSource(
  _ g: PoolingGeometry, rows: Range<Int>, dx: UnsafeMutablePointer<Float>,
  _ body: (_ output: Int, _ target: Int, _ tap: Int, _ top: Int, _ left: Int) -> Void
) {
  for row in rows {
    let (n, y) = (row / g.h, row % g.h)
    let start = row &* g.w &* g.c
    forEachVector(g.w &* g.c) { i, valid in store(.zero, dx + start + i, valid: valid) }

    // Windows p whose rows p stride - pad + r dilation reach y.
    let reach = y &+ g.padTop
    let firstP = max(0, (reach &- (g.r &- 1) &* g.dilationY &+ g.strideY &- 1) / g.strideY)
    let lastP = min(g.p &- 1, reach / g.strideY)
    if firstP > lastP { continue }
    for p in firstP...lastP {
      let distance = reach &- p &* g.strideY
      let r = distance / g.dilationY
      if r &* g.dilationY != distance || r >= g.r { continue }
      for q in 0..<g.q {
        let left = q &* g.strideX &- g.padLeft
        for s in tapsInside(g.s, left, g.dilationX, g.w) {
          body(
            ((n &* g.p &+ p) &* g.q &+ q) &* g.c, start &+ (left &+ s &* g.dilationX) &* g.c,
            r &* g.s &+ s, y &- distance, left)
        }
      }
    }
  }
}
