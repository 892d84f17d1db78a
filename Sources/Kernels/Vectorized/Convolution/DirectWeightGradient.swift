import TesseraKernelContract

/// dw[r,s,c,k] = sum over n, p, q of x[n, p strideY - padTop + r dilationY, q strideX - padLeft + s dilationX, g C/G +
/// c] dy[n,p,q,k] over those p and q for which x is inside the image: no padding is copied or multiplied.
///
/// On the register tile: rows are input channels, vectors output channels, the depth is the columns q, the outer loops
/// rows and images. Pixels are cut into strips that fit level 2 and strips grouped into chunks; each chunk has a
/// partial dw of its own, [chunks][R,S,C/G,K], which a second phase adds in order.
struct DirectWeightGradient: PlannedWeightGradient {
  let geometry: ConvolutionGeometry
  let isChannelwise: Bool
  let groups: Int, depth: Int, filters: Int
  let vectors: Int
  /// A strip: whole images, or, with one image a strip, some rows of it.
  let imagesPerStrip: Int, rowsPerStrip: Int
  let stripsPerChunk: Int
  let tapRowsPerTask: Int, channelsPerTask: Int

  var width: Int { vectors * lanes }
  var blocks: Int { ceilingQuotient(filters, width) }
  var rowStrips: Int { ceilingQuotient(geometry.p, rowsPerStrip) }
  var strips: Int { ceilingQuotient(geometry.n, imagesPerStrip) * rowStrips }
  var chunks: Int { ceilingQuotient(strips, stripsPerChunk) }
  var tapRowParts: Int { ceilingQuotient(geometry.r, tapRowsPerTask) }
  var channelParts: Int { ceilingQuotient(depth, channelsPerTask) }
  var taskCount: Int { chunks * groups * blocks * tapRowParts * channelParts }
  /// A strip of dy, padded to whole vectors, where output channels don't fill them.
  var scratchCount: Int {
    filters % lanes == 0 ? 0 : imagesPerStrip * rowsPerStrip * geometry.q * width
  }

  var partialsCount: Int { chunks * geometry.weightCount }
  var name: String {
    let rows = isChannelwise ? 1 : TileList.maximumRows(vectors: vectors)
    let kind = isChannelwise ? "depthwise" : "direct"
    return "conv2d.backward-weights.\(kind).f32.\(Kernels.instructionSet.name).\(rows)x\(vectors)"
  }

  /// Every choice follows from geometry, instruction set and caches. Work is first cut where it costs nothing
  /// (blocks of k, rows of taps, parts of c), and only then by pixels, which costs a partial dw a chunk; these
  /// take at most 32 MiB, or 8 dw where that is more.
  init(_ g: ConvolutionGeometry, caches: CacheSizes) {
    geometry = g
    isChannelwise = g.channelsPerGroup == 1 && g.filtersPerGroup == 1 && g.groups > 1
    groups = isChannelwise ? 1 : g.groups
    depth = g.channelsPerGroup
    filters = isChannelwise ? g.k : g.filtersPerGroup
    let depth = depth
    vectors =
      isChannelwise
      ? min(ChannelGradientList.maximumVectors, ceilingQuotient(filters, lanes))
      : widestTile(filters: filters, maximumVectors: TileList.maximumVectors) {
        tileSteps(extent: depth, tallest: TileList.maximumRows(vectors: $0), vectors: $0)
      }
    let width = vectors * lanes
    let blocks = ceilingQuotient(filters, width)

    let target = min(max(g.flops / 128, Double(lanes * 30_000)), Double(lanes * 400_000))
    let wanted = max(1, Int(g.flops / target))
    let tapParts = min(g.r, ceilingQuotient(wanted, groups * blocks))
    tapRowsPerTask = evenShare(g.r, at: ceilingQuotient(g.r, tapParts))
    // At least two tiles of channels a task, which share what they read of dy.
    let leastChannels = min(depth, 2 * TileList.maximumRows(vectors: vectors))
    let parts = min(ceilingQuotient(wanted, groups * blocks * tapParts), depth / leastChannels)
    channelsPerTask = evenShare(depth, at: ceilingQuotient(depth, parts))

    let rowFloats = g.strideY * g.w * min(g.c, channelsPerTask + 2 * lanes) + g.q * width
    let room = caches.level2Bytes / 2 / MemoryLayout<Float>.stride
    let rows = max(1, room / rowFloats)
    rowsPerStrip = evenShare(g.p, at: rows)
    imagesPerStrip = rows >= g.p ? evenShare(g.n, at: rows / max(1, g.p)) : 1
    let strips = ceilingQuotient(g.n, imagesPerStrip) * ceilingQuotient(g.p, rowsPerStrip)
    let most = max(8, (32 << 20) / MemoryLayout<Float>.stride / g.weightCount)
    let chunks = min(ceilingQuotient(wanted, groups * blocks * tapParts * parts), strips, most)
    stripsPerChunk = evenShare(strips, at: ceilingQuotient(strips, max(1, chunks)))
  }
}

extension DirectWeightGradient {
  func accumulate(
    tasks: Range<Int>, x: UnsafePointer<Float>, dy: UnsafePointer<Float>, partials: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    for task in tasks { accumulate(task: task, x: x, dy: dy, partials: partials, scratch: scratch) }
  }

  private func accumulate(
    task: Int, x: UnsafePointer<Float>, dy: UnsafePointer<Float>, partials: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let g = geometry
    var rest = task
    let channelPart = rest % channelParts
    rest /= channelParts
    let tapRowPart = rest % tapRowParts
    rest /= tapRowParts
    let firstFilter = rest % blocks &* width
    rest /= blocks
    let group = rest % groups
    let chunk = rest / groups

    let valid = min(width, filters &- firstFilter)
    let isWhole = valid % lanes == 0
    let blockWidth = (valid &+ lanes &- 1) / lanes &* lanes
    let channels =
      channelPart &* channelsPerTask..<min(depth, (channelPart &+ 1) &* channelsPerTask)
    let tapRows = tapRowPart &* tapRowsPerTask..<min(g.r, (tapRowPart &+ 1) &* tapRowsPerTask)
    let partial = partials + (chunk &* g.weightCount &+ group &* filters &+ firstFilter)

    for strip in chunk &* stripsPerChunk..<min(strips, (chunk &+ 1) &* stripsPerChunk) {
      let image = strip / rowStrips &* imagesPerStrip
      let firstRow = strip % rowStrips &* rowsPerStrip
      let images = min(imagesPerStrip, g.n &- image)
      let rows = firstRow..<min(g.p, firstRow &+ rowsPerStrip)
      let column = dy + ((image &* g.p &+ firstRow) &* g.q &* g.k &+ group &* filters &+ firstFilter)
      if !isWhole {
        // Several images a strip are whole ones, so that the strip's pixels are one run in either case.
        copyRows(column, step: g.k, scratch, rows: images &* rows.count &* g.q, valid: valid)
      }
      let b = isWhole ? column : UnsafePointer(scratch)
      let bDepth = isWhole ? g.k : blockWidth
      for r in tapRows {
        let p = outputsInside(
          offset: r &* g.dilationY &- g.padTop, stride: g.strideY, extent: g.h, limits: rows)
        for s in 0..<g.s {
          let q = outputsInside(
            offset: s &* g.dilationX &- g.padLeft, stride: g.strideX, extent: g.w, limits: 0..<g.q)
          let isEmpty = p.isEmpty || q.isEmpty
          let inputRow = p.lowerBound &* g.strideY &+ r &* g.dilationY &- g.padTop
          let inputColumn = q.lowerBound &* g.strideX &+ s &* g.dilationX &- g.padLeft
          var tile = TileTask(
            a: isEmpty
              ? x
              : x
                + (((image &* g.h &+ inputRow) &* g.w &+ inputColumn) &* g.c
                  &+ (isChannelwise ? firstFilter : group &* depth &+ channels.lowerBound)),
            b: isEmpty
              ? b : b + ((p.lowerBound &- rows.lowerBound) &* g.q &+ q.lowerBound) &* bDepth,
            out: partial + ((r &* g.s &+ s) &* depth &+ channels.lowerBound) &* g.k,
            bias: nil, aRow: 1, aDepth: g.strideX &* g.c, bDepth: bDepth, outRow: g.k,
            depth: q.count, tCount: isEmpty ? 0 : p.count, tA: g.strideY &* g.w &* g.c,
            tB: g.q &* bDepth, uCount: isEmpty ? 0 : images, uA: g.h &* g.w &* g.c,
            uB: rows.count &* g.q &* bDepth, valid: valid,
            accumulates: strip > chunk &* stripsPerChunk, epilogue: .none)
          tile.joinLoops()
          if isChannelwise {
            ChannelGradientList.run(vectors: blockWidth / lanes, tile)
          } else {
            runTiles(&tile, vectors: blockWidth / lanes, channels: channels.count)
          }
        }
      }
    }
  }

  private func runTiles(_ tile: inout TileTask, vectors: Int, channels: Int) {
    var left = ceilingQuotient(channels, TileList.maximumRows(vectors: vectors))
    var remaining = channels
    while left > 0 {
      let rows = remaining / left
      TileList.run(rows: rows, vectors: vectors, tile)
      tile.a += rows
      tile.out += rows &* tile.outRow
      remaining &-= rows
      left &-= 1
    }
  }

  /// The outputs i in `limits` with 0 <= i stride + offset < extent.
  @inline(__always)
  private func outputsInside(offset: Int, stride: Int, extent: Int, limits: Range<Int>) -> Range<Int> {
    let first = offset < 0 ? (stride &- 1 &- offset) / stride : 0
    let end = extent > offset ? (extent &- offset &+ stride &- 1) / stride : 0
    let lower = min(max(limits.lowerBound, first), limits.upperBound)
    return lower..<max(lower, min(limits.upperBound, end))
  }
}

extension DirectWeightGradient {
  private static var elementsPerReduction: Int { 8192 }

  var reduceTaskCount: Int { ceilingQuotient(geometry.weightCount, Self.elementsPerReduction) }

  func reduce(tasks: Range<Int>, partials: UnsafePointer<Float>, dw: UnsafeMutablePointer<Float>) {
    for task in tasks { reduce(task: task, partials: partials, dw: dw) }
  }

  /// dw[i] = sum over chunks of partials[chunk, i], in order of the chunks.
  private func reduce(task: Int, partials: UnsafePointer<Float>, dw: UnsafeMutablePointer<Float>) {
    let count = geometry.weightCount
    var i = task &* Self.elementsPerReduction
    let end = min(count, i &+ Self.elementsPerReduction)
    while i < end {
      let valid = min(lanes, end &- i)
      var sum = Vector.zero
      for chunk in 0..<chunks {
        let part = partials + (chunk &* count &+ i)
        sum += valid == lanes ? load(part) : loadFirst(valid, part)
      }
      if valid == lanes { store(sum, dw + i) } else { storeFirst(valid, sum, dw + i) }
      i &+= lanes
    }
  }
}
