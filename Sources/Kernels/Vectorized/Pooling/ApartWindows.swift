import CTesseraShims
import TesseraKernelContract

// Gradients of pooling whose windows don't overlap (2 x 2 with stride 2, one as large as the image): from windows to pixels,
// so that each delta is read once and nobody looks for the windows over a pixel.

extension PoolingGeometry {
  /// Whether each pixel lies in one window at most, and windows have no gaps.
  var windowsAreApart: Bool {
    dilationY == 1 && dilationX == 1 && (p == 1 || strideY >= r) && (q == 1 || strideX >= s)
  }
}

/// Writes rows of dx.
/// - Parameters:
///   - mask: the tap of each window that gets its delta; nil: all get the window's share of it.
///   - share: of the window at a row and a column of the image.
@inline(__always)
func spreadApartWindows(
  _ g: PoolingGeometry, rows: Range<Int>, dy: UnsafePointer<Float>, mask: UnsafePointer<Float>?,
  dx: UnsafeMutablePointer<Float>, streams: Bool, share: (_ top: Int, _ left: Int) -> Float
) {
  for row in rows {
    let (n, y) = (row / g.h, row % g.h)
    let reach = y &+ g.padTop
    let p = g.p == 1 ? 0 : reach / g.strideY
    let r = reach &- p &* g.strideY
    let target = dx + row &* g.w &* g.c
    // Pixels that are done.
    var x = 0
    if p < g.p && r < g.r {
      for q in 0..<g.q {
        let left = q &* g.strideX &- g.padLeft
        let (first, end) = (max(0, left), min(g.w, left &+ g.s))
        guard first < end else { continue }
        (target + x &* g.c).update(repeating: 0, count: (first &- x) &* g.c)
        x = end
        let output = ((n &* g.p &+ p) &* g.q &+ q) &* g.c
        let share = mask == nil ? share(y &- r, left) : 1
        let window = Window(
          deltas: dy + output, mask: mask.map { $0 + output }, share: share, firstTap: r &* g.s &+ first &- left,
          count: end &- first, pixels: target + first &* g.c, channels: g.c, streams: streams)
        var c = 0
        while c &+ 4 &* lanes <= g.c {
          window.spread(ChannelBlock<4>(channel: c, valid: lanes))
          c &+= 4 &* lanes
        }
        if c &+ 2 &* lanes <= g.c {
          window.spread(ChannelBlock<2>(channel: c, valid: lanes))
          c &+= 2 &* lanes
        }
        while c < g.c {
          window.spread(ChannelBlock<1>(channel: c, valid: min(lanes, g.c &- c)))
          c &+= lanes
        }
      }
    }
    (target + x &* g.c).update(repeating: 0, count: (g.w &- x) &* g.c)
  }
  if streams { tessera_stream_fence() }
}

/// The part of a window in one row of the image.
private struct Window {
  let deltas: UnsafePointer<Float>
  let mask: UnsafePointer<Float>?
  let share: Float
  /// The number of the first of its taps here, and how many there are.
  let firstTap: Int, count: Int
  let pixels: UnsafeMutablePointer<Float>
  let channels: Int
  let streams: Bool

  @inline(__always)
  func spread<let vectors: Int>(_ block: ChannelBlock<vectors>) {
    var deltas = block.values(deltas)
    guard let mask else {
      let share = Vector(repeating: share)
      deltas = block.map { deltas[$0] * share }
      for i in 0..<count { block.write(deltas, pixels + i &* channels, streams: streams) }
      return
    }
    let numbers = block.values(mask)
    for i in 0..<count {
      let tap = tapBits(firstTap &+ i)
      block.write(
        block.map { whereEqual(numbers[$0], tap, deltas[$0]) }, pixels + i &* channels, streams: streams)
    }
  }
}
