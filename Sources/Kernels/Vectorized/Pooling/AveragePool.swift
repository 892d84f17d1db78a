import CTesseraShims
public import TesseraKernelContract

extension Kernels {
  public static func averagePool(
    _ geometry: PoolingGeometry, countPadding: Bool, rows: Range<Int>, x: UnsafePointer<Float>,
    y: UnsafeMutablePointer<Float>, streams: Bool
  ) {
    let g = geometry
    let streams = streams && canStream(g.c, y)
    let packed = PackedWindows(g)
    if let packed { for row in rows { average(packed, g, row: row, countPadding: countPadding, x, y) } }
    forEachWindow(g, rows: rows, except: packed?.columns ?? 0..<0) { image, output, r, s, top, left in
      let count =
        countPadding ? paddedCount(g, top: top, left: left) : r.count &* s.count
      // An empty window divides 0 by 1.
      let share = Vector(repeating: 1 / Float(max(count, 1)))
      var c = 0
      while c &+ 4 &* lanes <= g.c {
        let block = ChannelBlock<4>(wholeFrom: c, of: g.c)
        average(block, g, x, image, top, left, r, s, share, y + output, streams)
        c &+= 4 &* lanes
      }
      while c < g.c {
        let block = ChannelBlock<1>(channel: c, valid: min(lanes, g.c &- c))
        average(block, g, x, image, top, left, r, s, share, y + output, streams)
        c &+= lanes
      }
    }
    if streams { tessera_stream_fence() }
  }

  public static func averagePoolBackward(
    _ geometry: PoolingGeometry, countPadding: Bool, rows: Range<Int>, dy: UnsafePointer<Float>,
    dx: UnsafeMutablePointer<Float>, streams: Bool
  ) {
    let g = geometry
    let streams = streams && canStream(g.c, dx)
    let areWhole =
      g.padTop | g.padLeft | g.padBottom | g.padRight == 0
      && (g.p &- 1) &* g.strideY &+ (g.r &- 1) &* g.dilationY < g.h
      && (g.q &- 1) &* g.strideX &+ (g.s &- 1) &* g.dilationX < g.w
    // The share of an element in each window that sees it; 0 where windows differ.
    let share = areWhole ? 1 / Float(g.r &* g.s) : 0
    if g.windowsAreApart {
      return spread(g, rows, countPadding, share, dy, dx, streams)
    }
    forEachPixel(g, rows: rows) { windows, target in
      var c = 0
      while c &+ 4 &* lanes <= g.c {
        gather(ChannelBlock<4>(channel: c, valid: lanes), g, windows, share, countPadding, dy, dx + target, streams)
        c &+= 4 &* lanes
      }
      while c < g.c {
        let block = ChannelBlock<1>(channel: c, valid: min(lanes, g.c &- c))
        gather(block, g, windows, share, countPadding, dy, dx + target, streams)
        c &+= lanes
      }
    }
    if streams { tessera_stream_fence() }
  }
}

/// The sum over the taps r, s of one window times a share.
@inline(__always)
private func average<let vectors: Int>(
  _ block: ChannelBlock<vectors>, _ g: PoolingGeometry, _ x: UnsafePointer<Float>, _ image: Int, _ top: Int,
  _ left: Int, _ r: Range<Int>, _ s: Range<Int>, _ share: Vector, _ y: UnsafeMutablePointer<Float>, _ streams: Bool
) {
  var sum = ChannelBlock<vectors>.zero
  for i in r {
    for j in s {
      let element = x + pixel(g, image, top, left, i, j)
      block.readAhead(element, g.c, pitch: g.xPitch)
      let values = block.values(element)
      for v in 0..<vectors { sum[v] += values[v] }
    }
  }
  block.write(block.map { sum[$0] * share }, y, streams: streams)
}

/// The same of windows that share a vector, all of whose columns lie in the image.
@inline(never)
private func average(
  _ packed: PackedWindows, _ g: PoolingGeometry, row: Int, countPadding: Bool, _ x: UnsafePointer<Float>,
  _ y: UnsafeMutablePointer<Float>
) {
  let top = row % g.p &* g.strideY &- g.padTop
  let image = row / g.p &* g.h &* g.w &* g.xPitch
  let r = tapsInside(g.r, top, g.dilationY, g.h)
  let count = countPadding ? paddedCount(g, top: top, left: 0) : r.count &* g.s
  let share = Vector(repeating: 1 / Float(max(count, 1)))
  packed.forEachGroup { q in
    let left = q &* g.strideX &- g.padLeft
    var sum = Vector.zero
    for i in r {
      for j in 0..<g.s { sum += packed.values(x + pixel(g, image, top, left, i, j)) }
    }
    store(sum * share, y + (row &* g.q &+ q) &* g.c, valid: packed.windows &* g.c)
  }
}

/// The sum of the deltas of the windows over a pixel, each times its share.
@inline(__always)
private func gather<let vectors: Int>(
  _ block: ChannelBlock<vectors>, _ g: PoolingGeometry, _ windows: WindowsOverPixel, _ share: Float,
  _ countPadding: Bool, _ dy: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, _ streams: Bool
) {
  var sum = ChannelBlock<vectors>.zero
  for p in windows.p {
    if WindowsOverPixel.tap(windows.reachY &- p &* g.strideY, g.dilationY) < 0 { continue }
    for q in windows.q {
      if WindowsOverPixel.tap(windows.reachX &- q &* g.strideX, g.dilationX) < 0 { continue }
      let share =
        share > 0
        ? share
        : shareOfWindow(
          g, countPadding: countPadding, top: p &* g.strideY &- g.padTop, left: q &* g.strideX &- g.padLeft)
      let deltas = block.values(dy + (windows.image &+ p &* g.q &+ q) &* g.c)
      for v in 0..<vectors { sum[v] = multiplyAdd(sum[v], deltas[v], Vector(repeating: share)) }
    }
  }
  block.write(sum, dx, streams: streams)
}

/// The same where windows are apart. Not inlined: with both in one function neither has enough registers.
@inline(never)
private func spread(
  _ g: PoolingGeometry, _ rows: Range<Int>, _ countPadding: Bool, _ share: Float, _ dy: UnsafePointer<Float>,
  _ dx: UnsafeMutablePointer<Float>, _ streams: Bool
) {
  spreadApartWindows(g, rows: rows, dy: dy, mask: nil, dx: dx, streams: streams) { top, left in
    share > 0 ? share : shareOfWindow(g, countPadding: countPadding, top: top, left: left)
  }
}

/// 1 / what the sum of a window that meets the image is divided by. Not inlined: whoever calls it wouldn't be any more.
@inline(never)
private func shareOfWindow(_ g: PoolingGeometry, countPadding: Bool, top: Int, left: Int) -> Float {
  let elements =
    countPadding
    ? paddedCount(g, top: top, left: left)
    : tapsInside(g.r, top, g.dilationY, g.h).count &* tapsInside(g.s, left, g.dilationX, g.w).count
  return 1 / Float(elements)
}

/// Elements of a window that lie in the padded image.
@inline(__always)
private func paddedCount(_ g: PoolingGeometry, top: Int, left: Int) -> Int {
  let rows = tapsInside(g.r, top &+ g.padTop, g.dilationY, g.h &+ g.padTop &+ g.padBottom)
  let columns = tapsInside(g.s, left &+ g.padLeft, g.dilationX, g.w &+ g.padLeft &+ g.padRight)
  return rows.count &* columns.count
}
