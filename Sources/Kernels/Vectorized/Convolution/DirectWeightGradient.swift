import CTesseraShims
import TesseraKernelContract

/// dw[r,s,c,k] = sum over n, p, q of x[n, p strideY - padTop + r dilationY, q strideX - padLeft + s dilationX, g C/G +
/// c] dy[n,p,q,k] over those p and q for which x is inside the image: no padding is copied or multiplied.
///
/// On the register tile: rows are input channels, vectors output channels, the depth is the columns q, the outer loops
/// rows and images. Pixels are cut into strips that fit level 2 and strips grouped into chunks; each chunk has a
/// partial dw of its own, [chunks][R,S,C/G,K], which a second phase adds in order.
///
/// Where a task takes part of the channels, it copies their strip of x together first: pixels a power of two apart share
/// a few sets of the caches. Where there are few channels, those of neighbouring taps are the rows of one tile, as they
/// lie in memory; the strip is copied with its zeros left and right, so that all columns meet all taps.
struct DirectWeightGradient: PlannedWeightGradient {
  let geometry: ConvolutionGeometry
  let isChannelwise: Bool
  let groups: Int, depth: Int, filters: Int
  let vectors: Int
  /// A strip: whole images, or, with one image a strip, some rows of it.
  let imagesPerStrip: Int, rowsPerStrip: Int
  let stripsPerChunk: Int
  let tapRowsPerTask: Int, channelsPerTask: Int, blocksPerTask: Int

  /// Tasks that keep many workers evenly busy.
  private static let enoughTasks = 64
  /// Tiles of channels that share what a task reads of dy.
  private static let tilesPerTask = 16

  var width: Int { vectors * lanes }
  var blocks: Int { ceilingQuotient(filters, width) }
  var rowStrips: Int { ceilingQuotient(geometry.p, rowsPerStrip) }
  var strips: Int { ceilingQuotient(geometry.n, imagesPerStrip) * rowStrips }
  var chunks: Int { ceilingQuotient(strips, stripsPerChunk) }
  var tapRowParts: Int { ceilingQuotient(geometry.r, tapRowsPerTask) }
  var channelParts: Int { ceilingQuotient(depth, channelsPerTask) }
  private var blockParts: Int { ceilingQuotient(blocks, blocksPerTask) }
  var taskCount: Int { chunks * groups * blockParts * tapRowParts * channelParts }
  var multiplyAddSteps: Double { ConvolutionCost.direct(self) }
  var mergesTaps: Bool { !isChannelwise && Self.mergesTaps(geometry, depth, vectors) }
  private var copiesInput: Bool { !isChannelwise && Self.copiesInput(geometry, depth, channelsPerTask, vectors) }

  private static func mergesTaps(_ g: ConvolutionGeometry, _ depth: Int, _ vectors: Int) -> Bool {
    g.groups == 1 && g.dilationX == 1 && g.s > 1 && depth <= 2 * TileList.maximumRows(vectors: vectors)
  }

  private static func copiesInput(
    _ g: ConvolutionGeometry, _ depth: Int, _ channelsPerTask: Int, _ vectors: Int
  ) -> Bool {
    mergesTaps(g, depth, vectors) || channelsPerTask < g.c
  }

  /// Floats from pixel to pixel of the copied strip: an odd number of vectors, or with merged taps no more than there are.
  private var copiedPitch: Int { mergesTaps ? depth : (ceilingQuotient(channelsPerTask, lanes) | 1) * lanes }
  /// Whether the window is one pixel: of a strip with a stride only the pixels that count are copied.
  private var isPointwise: Bool { Self.isPointwise(geometry) }

  private static func isPointwise(_ g: ConvolutionGeometry) -> Bool {
    g.r == 1 && g.s == 1 && max(g.padTop, g.padLeft, g.padBottom, g.padRight) == 0
  }
  /// Steps from output to output in what is read: the copied strip of a pointwise convolution, or x.
  private var inputStrideY: Int { copiesInput && isPointwise ? 1 : geometry.strideY }
  private var inputStrideX: Int { copiesInput && isPointwise ? 1 : geometry.strideX }
  /// Columns of a copied row; with merged taps those that all outputs and taps meet, from -padLeft on.
  private var copiedColumns: Int {
    if mergesTaps { return (geometry.q - 1) * geometry.strideX + geometry.s }
    return isPointwise ? geometry.q : geometry.w
  }
  /// Rows of x that a strip of so many rows of dy meets.
  private func inputRows(_ rows: Int, taps: Int) -> Int {
    (rows - 1) * inputStrideY + (taps - 1) * geometry.dilationY + 1
  }

  /// A strip of dy, padded to whole vectors, where output channels don't fill them; a strip of x where it is copied.
  var scratchCount: Int { deltaCount + inputCount }
  private var deltaCount: Int {
    filters % lanes == 0 ? 0 : imagesPerStrip * rowsPerStrip * geometry.q * width
  }
  private var inputCount: Int {
    copiesInput ? imagesPerStrip * inputRows(rowsPerStrip, taps: tapRowsPerTask) * copiedColumns * copiedPitch : 0
  }

  var name: String {
    let rows = isChannelwise ? min(geometry.s, ChannelGradientList.maximumTaps) : TileList.maximumRows(vectors: vectors)
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
    // Of a window of one pixel and channels that needn't be copied, tiles of two vectors read each line of x for more
    // channels, and a longer strip of dy stays in level 1: up to a fifth less time than with wider tiles.
    let maximumVectors =
      Self.isPointwise(g) && depth <= Self.tilesPerTask * TileList.maximumRows(vectors: 2) ? 2 : TileList.maximumVectors
    vectors =
      isChannelwise
      ? min(ChannelGradientList.maximumVectors, ceilingQuotient(filters, lanes))
      : widestTile(filters: filters, maximumVectors: maximumVectors) {
        tileSteps(extent: depth, tallest: TileList.maximumRows(vectors: $0), vectors: $0)
      }
    let width = vectors * lanes
    let blocks = ceilingQuotient(filters, width)

    let target = taskFlops(g.flops)
    let wanted = max(1, Int(g.flops / target))
    // A chunk's partial dw is written and read once more: that shall stay below a quarter of the operands.
    let affordable = max(1, (g.xCount + g.yCount) / 4 / g.weightCount)
    let most = min(affordable, PartialSums.mostChunks(count: g.weightCount))
    // Some tiles of channels a task share what they read of dy, or all of one block where chunks make enough tasks:
    // then x is read as it lies (64 filters of 256 channels at 56 x 56: 9.6 instead of 10.5 ms).
    let tallest = isChannelwise ? 1 : TileList.maximumRows(vectors: vectors)
    let tiles = blocks == 1 && most >= Self.enoughTasks ? ceilingQuotient(depth, tallest) : Self.tilesPerTask
    channelsPerTask = min(depth, ceilingQuotient(evenShare(depth, at: tiles * tallest), tallest) * tallest)
    let copies = Self.copiesInput(g, depth, channelsPerTask, vectors)
    // Blocks share a copied strip as far as that leaves enough tasks: 4 of them took a tenth less time than 1 (256 filters of
    // 1024 channels at 14 x 14).
    let cuts = min(wanted, most) * groups * ceilingQuotient(depth, channelsPerTask)
    blocksPerTask = copies ? evenShare(blocks, at: min(4, max(1, cuts * blocks / Self.enoughTasks))) : 1
    let parts = ceilingQuotient(depth, channelsPerTask) * ceilingQuotient(blocks, blocksPerTask)

    let rowFloats = g.strideY * g.w * min(g.c, channelsPerTask + 2 * lanes) + g.q * width
    // Half of level 2; a twelfth where x isn't copied: there the next strip is asked for while this one is read, and
    // pixels a power of two apart find a part of the sets only.
    let share = copies ? 2 : 12
    let room = caches.level2Bytes / share / MemoryLayout<Float>.stride
    let rows = max(1, room / rowFloats)
    rowsPerStrip = evenShare(g.p, at: rows)
    imagesPerStrip = rows >= g.p ? evenShare(g.n, at: rows / max(1, g.p)) : 1
    let strips = ceilingQuotient(g.n, imagesPerStrip) * ceilingQuotient(g.p, rowsPerStrip)
    let chunks = max(1, min(ceilingQuotient(wanted, groups * parts), strips, most))
    stripsPerChunk = evenShare(strips, at: ceilingQuotient(strips, chunks))
    // Rows of taps read and copy x again, so they are cut last.
    let tapParts = min(g.r, ceilingQuotient(min(wanted, 32), groups * parts * chunks))
    tapRowsPerTask = evenShare(g.r, at: ceilingQuotient(g.r, tapParts))
  }
}

extension DirectWeightGradient {
  func accumulate(
    tasks: Range<Int>, x: UnsafePointer<Float>, dy: UnsafePointer<Float>, partials: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    for task in tasks {
      let part = part(task)
      let following = task &+ 1 < tasks.upperBound ? self.part(task &+ 1) : nil
      for strip in part.strips {
        accumulate(
          strip, of: part, copiedNext: copiedNext(strip, part, following, x), x: x, dy: dy, partials: partials,
          scratch: scratch)
      }
    }
  }

  /// What a task computes.
  private struct Part {
    let chunk: Int, group: Int
    let strips: Range<Int>, blocks: Range<Int>
    let tapRows: Range<Int>, channels: Range<Int>
  }

  private func part(_ task: Int) -> Part {
    var rest = task
    let channelPart = rest % channelParts
    rest /= channelParts
    let tapRowPart = rest % tapRowParts
    rest /= tapRowParts
    let blockPart = rest % blockParts
    rest /= blockParts
    let chunk = rest / groups
    func range(_ part: Int, of size: Int, _ count: Int) -> Range<Int> {
      part &* size..<min(count, (part &+ 1) &* size)
    }
    return Part(
      chunk: chunk, group: rest % groups, strips: range(chunk, of: stripsPerChunk, strips),
      blocks: range(blockPart, of: blocksPerTask, blocks), tapRows: range(tapRowPart, of: tapRowsPerTask, geometry.r),
      channels: range(channelPart, of: channelsPerTask, depth))
  }

  private func accumulate(
    _ strip: Int, of part: Part, copiedNext: ScatteredLines?, x: UnsafePointer<Float>, dy: UnsafePointer<Float>,
    partials: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    let g = geometry
    let (image, images, rows) = pixels(of: strip)
    let input = input(x, strip, part, scratch + deltaCount)
    var copiedNext = copiedNext
    for block in part.blocks {
      let firstFilter = block &* width
      let valid = min(width, filters &- firstFilter)
      let isWhole = valid % lanes == 0
      let blockWidth = (valid &+ lanes &- 1) / lanes &* lanes
      let column = dy + ((image &* g.p &+ rows.lowerBound) &* g.q &* g.k &+ part.group &* filters &+ firstFilter)
      if !isWhole {
        // Several images a strip are whole ones, so that the strip's pixels are one run in either case.
        copyRows(column, step: g.k, scratch, rows: images &* rows.count &* g.q, valid: valid)
      }
      let strip = Strip(
        image: image, images: images, rows: rows, channels: part.channels, filters: firstFilter, group: part.group,
        next: nextStrip(strip, limit: part.strips.upperBound),
        b: isWhole ? column : UnsafePointer(scratch), bDepth: isWhole ? g.k : blockWidth, vectors: blockWidth / lanes,
        valid: valid, input: input, accumulates: strip > part.strips.lowerBound)
      accumulate(
        strip, part.tapRows, partials + (part.chunk &* g.weightCount &+ part.group &* filters &+ firstFilter),
        &copiedNext)
    }
  }

  /// The pixels of dy that a strip covers: whole images, or some rows of one.
  private func pixels(of strip: Int) -> (image: Int, images: Int, rows: Range<Int>) {
    let image = strip / rowStrips &* imagesPerStrip
    let firstRow = strip % rowStrips &* rowsPerStrip
    return (image, min(imagesPerStrip, geometry.n &- image), firstRow..<min(geometry.p, firstRow &+ rowsPerStrip))
  }

  /// The part of x that a strip reads: pixel (image, row, column) of the strip's first channel is at
  /// base + (((image - strip's) rowsPerImage + row - firstRow) columns + column - firstColumn) pitch.
  private struct Input {
    let base: UnsafePointer<Float>
    let pitch: Int
    let firstRow: Int, rowsPerImage: Int
    let firstColumn: Int, columns: Int
  }

  private struct Strip {
    let image: Int, images: Int
    let rows: Range<Int>, channels: Range<Int>
    let filters: Int, group: Int
    /// Floats from this strip to the next in x and in dy; 0 where there is none.
    let next: (x: Int, dy: Int)
    let b: UnsafePointer<Float>, bDepth: Int
    let vectors: Int, valid: Int
    let input: Input
    let accumulates: Bool
  }

  private func nextStrip(_ strip: Int, limit: Int) -> (x: Int, dy: Int) {
    guard strip &+ 1 < limit else { return (0, 0) }
    let g = geometry
    let (this, next) = (pixels(of: strip), pixels(of: strip &+ 1))
    let rows = next.rows.lowerBound &- this.rows.lowerBound
    return (
      ((next.image &- this.image) &* g.h &+ rows &* g.strideY) &* g.w &* g.c,
      ((next.image &- this.image) &* g.p &+ rows) &* g.q &* g.k
    )
  }

  /// Rows of x that a strip meets, those of the padding among them, which of them are inside, and how many floats one is
  /// behind the other.
  private func rowsToCopy(_ rows: Range<Int>, _ tapRows: Range<Int>) -> (all: Range<Int>, inside: Range<Int>, step: Int)
  {
    let g = geometry
    let first = rows.lowerBound &* inputStrideY &- g.padTop &+ tapRows.lowerBound &* g.dilationY
    let all = first..<first &+ inputRows(rows.count, taps: tapRows.count)
    let start = max(0, first)
    return (
      all, start..<max(start, min(isPointwise ? g.p : g.h, all.upperBound)), (isPointwise ? g.strideY : 1) &* g.w &* g.c
    )
  }

  /// The lines that will be copied after a strip: those of the next strip, or of the next task's first. The copy would wait
  /// for each of them, so they are asked for while this strip is multiplied.
  private func copiedNext(_ strip: Int, _ part: Part, _ following: Part?, _ x: UnsafePointer<Float>) -> ScatteredLines?
  {
    guard copiesInput, !mergesTaps else { return nil }
    let (next, nextPart) =
      strip &+ 1 < part.strips.upperBound ? (strip &+ 1, part) : (following?.strips.lowerBound ?? 0, following)
    guard let nextPart else { return nil }
    let g = geometry
    let (image, images, rows) = pixels(of: next)
    let (_, inside, rowStep) = rowsToCopy(rows, nextPart.tapRows)
    let columns =
      part.blocks.count &* part.tapRows.count &* g.s
      &* ceilingQuotient(part.channels.count, TileList.maximumRows(vectors: vectors))
    return ScatteredLines(
      first: x + ((image &* g.h &* g.w &* g.c) &+ inside.lowerBound &* rowStep &+ firstChannel(nextPart)),
      counts: (images, inside.count, copiedColumns), steps: (g.h &* g.w &* g.c, rowStep, pixelStep),
      floats: nextPart.channels.count, parts: columns)
  }

  /// Floats from pixel to pixel of x that is copied.
  private var pixelStep: Int { isPointwise ? geometry.strideX &* geometry.c : geometry.c }

  private func firstChannel(_ part: Part) -> Int {
    isChannelwise ? 0 : part.group &* depth &+ part.channels.lowerBound
  }

  private func input(
    _ x: UnsafePointer<Float>, _ strip: Int, _ part: Part, _ scratch: UnsafeMutablePointer<Float>
  ) -> Input {
    let g = geometry
    let (image, images, rows) = pixels(of: strip)
    let corner = x + (image &* g.h &* g.w &* g.c &+ firstChannel(part))
    guard copiesInput else {
      return Input(base: corner, pitch: g.c, firstRow: 0, rowsPerImage: g.h, firstColumn: 0, columns: g.w)
    }
    let (all, inside, rowStep) = rowsToCopy(rows, part.tapRows)
    for n in 0..<images {
      for row in inside {
        let source = corner + (n &* g.h &* g.w &* g.c &+ row &* rowStep)
        let target = scratch + (n &* all.count &+ row &- all.lowerBound) &* copiedColumns &* copiedPitch
        if mergesTaps {
          copyRow(source, target)
        } else {
          copyPixels(source, target, pixels: copiedColumns, step: pixelStep, channels: part.channels.count)
        }
      }
    }
    return Input(
      base: UnsafePointer(scratch), pitch: copiedPitch, firstRow: all.lowerBound, rowsPerImage: all.count,
      firstColumn: mergesTaps ? -g.padLeft : 0, columns: copiedColumns)
  }

  /// A row of whole pixels between the zeros of its padding.
  private func copyRow(_ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>) {
    let count = copiedColumns &* depth
    let before = min(count, geometry.padLeft &* depth)
    let end = min(count, before &+ geometry.w &* depth)
    for i in 0..<before { target[i] = 0 }
    map(count: end &- before, source, to: target + before, streams: false) { $0 }
    for i in end..<count { target[i] = 0 }
  }

  /// Pieces of pixels are short, and further apart than the hardware looks ahead.
  private func copyPixels(
    _ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, pixels: Int, step pixelStep: Int,
    channels: Int
  ) {
    let pitch = copiedPitch
    for pixel in 0..<pixels {
      let from = source + pixel &* pixelStep
      let to = target + pixel &* pitch
      var c = 0
      while c &+ lanes <= channels {
        tessera_prefetch(from + (8 &* pixelStep &+ c))
        store(load(from + c), to + c)
        c &+= lanes
      }
      if c < channels { store(loadFirst(channels &- c, from + c), to + c) }
    }
  }

  private func accumulate(
    _ strip: Strip, _ tapRows: Range<Int>, _ partial: UnsafeMutablePointer<Float>, _ copiedNext: inout ScatteredLines?
  ) {
    let g = geometry
    // The first pass over the next strip would wait for memory, which the others leave idle.
    var next = NextOperands(
      a: copiesInput ? 0 : strip.next.x, aCount: geometry.c, b: strip.bDepth == geometry.k ? strip.next.dy : 0,
      bCount: strip.valid, scattered: copiedNext)
    defer { copiedNext = next.scattered }
    for r in tapRows {
      let p = outputsInside(
        offset: r &* g.dilationY &- g.padTop, stride: g.strideY, extent: g.h, limits: strip.rows)
      if isChannelwise {
        accumulateChannels(strip, partial, r, p, asksAhead: r == tapRows.upperBound &- 1)
      } else if mergesTaps {
        accumulate(strip, partial, r, 0, p, 0..<g.q, rows: g.s &* depth, &next)
      } else {
        for s in 0..<g.s {
          let q = outputsInside(
            offset: s &* g.dilationX &- g.padLeft, stride: g.strideX, extent: g.w, limits: 0..<g.q)
          accumulate(strip, partial, r, s, p, q, rows: strip.channels.count, &next)
        }
      }
    }
  }

  /// A row of taps of a channelwise gradient: several together where all of them are inside the image, then each by itself
  /// where some aren't.
  private func accumulateChannels(
    _ strip: Strip, _ partial: UnsafeMutablePointer<Float>, _ r: Int, _ p: Range<Int>, asksAhead: Bool
  ) {
    let g = geometry
    func columns(_ s: Int, _ limits: Range<Int>) -> Range<Int> {
      outputsInside(offset: s &* g.dilationX &- g.padLeft, stride: g.strideX, extent: g.w, limits: limits)
    }
    var left = ceilingQuotient(g.s, ChannelGradientList.maximumTaps)
    var s = 0
    while left > 0 {
      let taps = (g.s &- s) / left
      let (first, last) = (columns(s, 0..<g.q), columns(s &+ taps &- 1, 0..<g.q))
      let lower = max(first.lowerBound, last.lowerBound)
      let inner = lower..<max(lower, min(first.upperBound, last.upperBound))
      var tile = self.tile(strip, partial, r, s, p, inner)
      tile.aRow = g.dilationX &* g.c
      if asksAhead && left == 1 { (tile.ahead, tile.aheadB) = (strip.next.x, strip.next.dy) }
      ChannelGradientList.run(taps: taps, vectors: strip.vectors, tile)
      for tap in s..<s &+ taps {
        addOuter(strip, partial, r, tap, p, columns(tap, 0..<inner.lowerBound))
        addOuter(strip, partial, r, tap, p, columns(tap, inner.upperBound..<g.q))
      }
      s &+= taps
      left &-= 1
    }
  }

  private func addOuter(
    _ strip: Strip, _ partial: UnsafeMutablePointer<Float>, _ r: Int, _ s: Int, _ p: Range<Int>, _ q: Range<Int>
  ) {
    guard !p.isEmpty, !q.isEmpty else { return }
    var tile = self.tile(strip, partial, r, s, p, q)
    tile.accumulates = true
    ChannelGradientList.run(taps: 1, vectors: strip.vectors, tile)
  }

  /// `rows` rows of dw from tap (r, s) on, over the outputs p and q of a strip.
  private func accumulate(
    _ strip: Strip, _ partial: UnsafeMutablePointer<Float>, _ r: Int, _ s: Int, _ p: Range<Int>, _ q: Range<Int>,
    rows: Int, _ next: inout NextOperands
  ) {
    var tile = self.tile(strip, partial, r, s, p, q)
    tile.joinLoops()
    tile.runColumn(rows: rows, vectors: strip.vectors, asking: &next)
  }

  /// What tap (r, s) adds up over the outputs p and q of a strip; the first of its channels.
  private func tile(
    _ strip: Strip, _ partial: UnsafeMutablePointer<Float>, _ r: Int, _ s: Int, _ p: Range<Int>, _ q: Range<Int>
  ) -> TileTask {
    let g = geometry
    let input = strip.input
    let isEmpty = p.isEmpty || q.isEmpty
    let row = p.lowerBound &* inputStrideY &+ r &* g.dilationY &- g.padTop &- input.firstRow
    let column = q.lowerBound &* inputStrideX &+ s &* g.dilationX &- g.padLeft &- input.firstColumn
    // Without outputs nothing is read, and the position may be outside.
    let firstChannel = isChannelwise ? strip.filters : 0
    let firstInput = isEmpty ? 0 : (row &* input.columns &+ column) &* input.pitch &+ firstChannel
    let firstDelta = isEmpty ? 0 : ((p.lowerBound &- strip.rows.lowerBound) &* g.q &+ q.lowerBound) &* strip.bDepth
    return TileTask(
      a: input.base + firstInput, b: strip.b + firstDelta,
      out: partial + ((r &* g.s &+ s) &* depth &+ strip.channels.lowerBound) &* g.k,
      bias: nil, aRow: 1, aDepth: inputStrideX &* input.pitch, bDepth: strip.bDepth, outRow: g.k,
      depth: q.count, tCount: isEmpty ? 0 : p.count, tA: inputStrideY &* input.columns &* input.pitch,
      tB: g.q &* strip.bDepth, uCount: isEmpty ? 0 : strip.images,
      uA: input.rowsPerImage &* input.columns &* input.pitch,
      uB: strip.rows.count &* g.q &* strip.bDepth, valid: strip.valid, accumulates: strip.accumulates, epilogue: .none)
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
  private var sums: PartialSums { PartialSums(count: geometry.weightCount, chunks: chunks) }

  var partialsCount: Int { sums.partialsCount }
  var reduceTaskCount: Int { sums.taskCount }

  func reduce(tasks: Range<Int>, partials: UnsafePointer<Float>, dw: UnsafeMutablePointer<Float>) {
    for task in tasks { sums.add(task: task, partials, to: dw) }
  }
}
