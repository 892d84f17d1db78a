import CTesseraShims
public import TesseraKernelContract

// Masks take the way of floats of the same bits. Blocks of channels are walked by plain loops: closures within closures
// aren't inlined, and a window is too short for a call.

extension Kernels {
  public static func maxPool(
    _ geometry: PoolingGeometry, rows: Range<Int>, x: UnsafePointer<Float>,
    y: UnsafeMutablePointer<Float>, mask: UnsafeMutablePointer<Int32>, streams: Bool
  ) {
    let g = geometry
    let mask = UnsafeMutableRawPointer(mask).assumingMemoryBound(to: Float.self)
    let streams = streams && canStream(g.c, y) && canStream(g.c, mask)
    let packed = PackedWindows(g)
    if let packed { for row in rows { maximum(packed, g, row: row, x, y, mask) } }
    forEachWindow(g, rows: rows, except: packed?.columns ?? 0..<0) { image, output, r, s, top, left in
      let isEmpty = r.isEmpty || s.isEmpty
      let first = isEmpty ? x : x + pixel(g, image, top, left, r.lowerBound, s.lowerBound)
      let (r, s) = isEmpty ? (0..<0, 0..<0) : (r, s)
      let (y, mask) = (y + output, mask + output)
      var c = 0
      while c &+ 4 &* lanes <= g.c {
        maximum(ChannelBlock<4>(channel: c, valid: lanes), g, first, r, s, y, mask, streams)
        c &+= 4 &* lanes
      }
      while c < g.c {
        maximum(ChannelBlock<1>(channel: c, valid: min(lanes, g.c &- c)), g, first, r, s, y, mask, streams)
        c &+= lanes
      }
    }
    if streams { tessera_stream_fence() }
  }

  public static func maxPoolBackward(
    _ geometry: PoolingGeometry, rows: Range<Int>, dy: UnsafePointer<Float>,
    mask: UnsafePointer<Int32>, dx: UnsafeMutablePointer<Float>, streams: Bool
  ) {
    let g = geometry
    let mask = UnsafeRawPointer(mask).assumingMemoryBound(to: Float.self)
    let streams = streams && canStream(g.c, dx)
    if g.windowsAreApart {
      return spread(g, rows, dy, mask, dx, streams)
    }
    forEachPixel(g, rows: rows) { windows, target in
      var c = 0
      while c &+ 4 &* lanes <= g.c {
        gather(ChannelBlock<4>(channel: c, valid: lanes), g, windows, dy, mask, dx + target, streams)
        c &+= 4 &* lanes
      }
      while c < g.c {
        gather(
          ChannelBlock<1>(channel: c, valid: min(lanes, g.c &- c)), g, windows, dy, mask, dx + target, streams)
        c &+= lanes
      }
    }
    if streams { tessera_stream_fence() }
  }
}

/// The maximum over the taps r, s of one window and its number; -infinity and 0 without taps. `first` is the element at the
/// first of the taps.
@inline(__always)
private func maximum<let vectors: Int>(
  _ block: ChannelBlock<vectors>, _ g: PoolingGeometry, _ first: UnsafePointer<Float>, _ r: Range<Int>,
  _ s: Range<Int>, _ y: UnsafeMutablePointer<Float>, _ mask: UnsafeMutablePointer<Float>, _ streams: Bool
) {
  var best = block.map { _ in Vector(repeating: -.infinity) }
  var number = ChannelBlock<vectors>.zero
  if !r.isEmpty {
    // The window's first element is the start, so that one of -infinity only has its number too.
    best = block.values(first)
    let start = tapBits(r.lowerBound &* g.s &+ s.lowerBound)
    number = block.map { _ in start }
  }
  for i in r {
    for j in s {
      let position = ((i &- r.lowerBound) &* g.dilationY &* g.w &+ (j &- s.lowerBound) &* g.dilationX) &* g.xPitch
      let values = block.values(first + position)
      let tap = tapBits(i &* g.s &+ j)
      for v in 0..<vectors {
        number[v] = chooseLarger(values[v], best[v], tap, else: number[v])
        best[v] = chooseLarger(values[v], best[v], values[v], else: best[v])
      }
    }
  }
  block.write(best, y, streams: streams)
  block.write(number, mask, streams: streams)
}

/// The same of windows that share a vector, all of whose columns lie in the image.
@inline(never)
private func maximum(
  _ packed: PackedWindows, _ g: PoolingGeometry, row: Int, _ x: UnsafePointer<Float>,
  _ y: UnsafeMutablePointer<Float>, _ mask: UnsafeMutablePointer<Float>
) {
  let top = row % g.p &* g.strideY &- g.padTop
  let image = row / g.p &* g.h &* g.w &* g.xPitch
  let r = tapsInside(g.r, top, g.dilationY, g.h)
  let valid = packed.windows &* g.c
  packed.forEachGroup { q in
    let left = q &* g.strideX &- g.padLeft
    var best = Vector(repeating: -.infinity)
    var number = Vector.zero
    if !r.isEmpty {
      best = packed.values(x + pixel(g, image, top, left, r.lowerBound, 0))
      number = tapBits(r.lowerBound &* g.s)
    }
    for i in r {
      for j in 0..<g.s {
        let values = packed.values(x + pixel(g, image, top, left, i, j))
        number = chooseLarger(values, best, tapBits(i &* g.s &+ j), else: number)
        best = chooseLarger(values, best, values, else: best)
      }
    }
    let output = (row &* g.q &+ q) &* g.c
    store(best, y + output, valid: valid)
    store(number, mask + output, valid: valid)
  }
}

/// The sum of the deltas of those windows over a pixel that chose it.
@inline(__always)
private func gather<let vectors: Int>(
  _ block: ChannelBlock<vectors>, _ g: PoolingGeometry, _ windows: WindowsOverPixel, _ dy: UnsafePointer<Float>,
  _ mask: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, _ streams: Bool
) {
  var sum = ChannelBlock<vectors>.zero
  for p in windows.p {
    let r = WindowsOverPixel.tap(windows.reachY &- p &* g.strideY, g.dilationY)
    if r < 0 { continue }
    for q in windows.q {
      let s = WindowsOverPixel.tap(windows.reachX &- q &* g.strideX, g.dilationX)
      if s < 0 { continue }
      let output = (windows.image &+ p &* g.q &+ q) &* g.c
      let tap = tapBits(r &* g.s &+ s)
      let (numbers, deltas) = (block.values(mask + output), block.values(dy + output))
      for v in 0..<vectors { sum[v] += whereEqual(numbers[v], tap, deltas[v]) }
    }
  }
  block.write(sum, dx, streams: streams)
}

/// The same where windows are apart. Not inlined: with both in one function neither has enough registers.
@inline(never)
private func spread(
  _ g: PoolingGeometry, _ rows: Range<Int>, _ dy: UnsafePointer<Float>, _ mask: UnsafePointer<Float>,
  _ dx: UnsafeMutablePointer<Float>, _ streams: Bool
) {
  spreadApartWindows(g, rows: rows, dy: dy, mask: mask, dx: dx, streams: streams) { _, _ in 1 }
}

/// A tap's number as the mask has it.
@inline(__always)
func tapBits(_ tap: Int) -> Vector {
  unsafeBitCast(IntVector(repeating: Int32(truncatingIfNeeded: tap)), to: Vector.self)
}
