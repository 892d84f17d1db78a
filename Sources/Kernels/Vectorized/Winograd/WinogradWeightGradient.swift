import TesseraKernelContract

/// Backward-weights as F(3x3, 4x4) or F(5x5, 2x2): dw = G^T [sum over tiles of (B^T x B) . (A dy A^T)] G, the transpose of
/// the forward algorithm, with the same tiles of x and of dy.
///
/// A task owns a block of channels times a block of filters and a chunk of the tiles. Step by step it transforms some
/// tiles, V: [36][tiles][channels] and D: [36][tiles][width], and adds their products, point by point, to its part
/// [36][channels][width] of the partials: together 1.2 MB for blocks of 64 x 64, a little more than a level 2 of 1 MB,
/// so what the next point needs is asked for ahead. The sum over chunks and G^T m G come in the second phase. Points are a line further apart than the data need, as in ``WinogradConvolution``.
struct WinogradWeightGradient: PlannedWeightGradient {
  let geometry: ConvolutionGeometry
  let tiles: WinogradTiles
  let vectors: Int
  let channelsPerBlock: Int
  let tilesPerStep: Int, stepsPerChunk: Int

  private var width: Int { vectors * lanes }
  var channelBlocks: Int { ceilingQuotient(geometry.c, channelsPerBlock) }
  var filterBlocks: Int { ceilingQuotient(geometry.k, width) }
  var steps: Int { ceilingQuotient(tiles.count, tilesPerStep) }
  private var chunks: Int { ceilingQuotient(steps, stepsPerChunk) }

  private static var line: Int { 16 }
  private var paddedChannels: Int { TilePixels.paddedCount(channelsPerBlock) }
  private var inputStep: Int { tilesPerStep * paddedChannels + Self.line }
  private var gradientStep: Int { tilesPerStep * width + Self.line }
  private var productStep: Int { channelsPerBlock * width + Self.line }
  private var blockCount: Int { Winograd.points * productStep }

  init(_ g: ConvolutionGeometry) {
    geometry = g
    tiles = WinogradTiles(forward: g)
    // Blocks of 64 x 64 cost a ninth of their products for transforms and take 590 KB.
    let channelsPerBlock = evenShare(g.c, at: 64)
    self.channelsPerBlock = channelsPerBlock
    vectors = widestTile(filters: g.k, maximumVectors: TileList.maximumVectors) {
      tileSteps(extent: channelsPerBlock, tallest: TileList.maximumRows(vectors: $0), vectors: $0)
    }
    // A product's accumulators are loaded and stored once for so many multiply-adds: 48 took 2 to 5 % less time than 32, 16
    // up to a fifth more.
    tilesPerStep = evenShare(tiles.count, at: 48)
    let steps = ceilingQuotient(tiles.count, tilesPerStep)
    let blocks = ceilingQuotient(g.c, channelsPerBlock) * ceilingQuotient(g.k, vectors * lanes)
    let block = Winograd.points * (channelsPerBlock * vectors * lanes + Self.line)
    let most = max(8 * g.weightCount, (32 << 20) / MemoryLayout<Float>.stride) / (block * blocks)
    // A chunk is worth its partial sums, which are written, read and added, from three steps on.
    let chunks = max(1, min(ceilingQuotient(64, blocks), most, steps / 3))
    stepsPerChunk = evenShare(steps, at: ceilingQuotient(steps, chunks))
  }

  var name: String {
    "conv2d.backward-weights.winograd\(tiles.outputs)x\(tiles.outputs).f32.\(Kernels.instructionSet.name)."
      + "\(TileList.maximumRows(vectors: vectors))x\(vectors)"
  }

  var taskCount: Int { chunks * channelBlocks * filterBlocks }
  var multiplyAddSteps: Double { ConvolutionCost.winograd(self) }
  var scratchCount: Int {
    Winograd.points * (inputStep + gradientStep) + TilePixels.scratchCount(channels: max(geometry.c, geometry.k))
  }
  var partialsCount: Int { taskCount * blockCount }

  func accumulate(
    tasks: Range<Int>, x: UnsafePointer<Float>, dy: UnsafePointer<Float>, partials: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    for task in tasks { accumulate(task: task, x, dy, partials + task &* blockCount, scratch) }
  }

  private func accumulate(
    task: Int, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ partial: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    let (firstChannel, channels) = channelBlock(task)
    let (firstFilter, filters) = filterBlock(task)
    let v = scratch
    let d = v + Winograd.points &* inputStep
    let pixels = TilePixels(d + Winograd.points &* gradientStep, channels: max(geometry.c, geometry.k))
    let dy = UnsafeMutablePointer(mutating: dy)

    let firstStep = task / (channelBlocks &* filterBlocks) &* stepsPerChunk
    for step in firstStep..<min(steps, firstStep &+ stepsPerChunk) {
      let firstTile = step &* tilesPerStep
      let count = min(tilesPerStep, tiles.count &- firstTile)
      for t in 0..<count {
        let tile = tiles[firstTile &+ t]
        pixels.findInputs(of: tile, tiles, x + firstChannel, pixelStep: geometry.c)
        pixels.transformInput(channels: channels, v + t &* paddedChannels, step: inputStep)
        pixels.findOutputs(of: tile, tiles, dy + firstFilter, pixelStep: geometry.k)
        pixels.transformOutputGradient(
          outputs: tiles.outputs, filters: filters, d + t &* width, step: gradientStep)
      }
      multiply(channels, filters, count, v, d, partial, accumulates: step > firstStep)
    }
  }

  @inline(__always)
  private func channelBlock(_ task: Int) -> (first: Int, count: Int) {
    let first = task / filterBlocks % channelBlocks &* channelsPerBlock
    return (first, min(channelsPerBlock, geometry.c &- first))
  }

  @inline(__always)
  private func filterBlock(_ task: Int) -> (first: Int, count: Int) {
    let first = task % filterBlocks &* width
    return (first, min(width, geometry.k &- first))
  }

  /// partial[i] += V[i]^T D[i] for each point i, a sum over the step's tiles.
  private func multiply(
    _ channels: Int, _ filters: Int, _ count: Int, _ v: UnsafePointer<Float>, _ d: UnsafePointer<Float>,
    _ partial: UnsafeMutablePointer<Float>, accumulates: Bool
  ) {
    let blockVectors = ceilingQuotient(filters, lanes)
    for point in 0..<Winograd.points {
      let tile = TileTask(
        a: v + point &* inputStep, b: d + point &* gradientStep, out: partial + point &* productStep, bias: nil,
        aRow: 1, aDepth: paddedChannels, bDepth: width, outRow: width, depth: count, tCount: 1, tA: 0, tB: 0,
        uCount: 1, uA: 0, uB: 0, valid: blockVectors &* lanes, accumulates: accumulates, epilogue: .none)
      var next = NextOperands(a: inputStep, aCount: channels, b: gradientStep, bCount: filters)
      tile.runColumn(rows: channels, vectors: blockVectors, asking: &next)
    }
  }

  // MARK: The second phase

  private var channelsPerReduction: Int { 4 }
  private var reductionsPerBlock: Int { ceilingQuotient(channelsPerBlock, channelsPerReduction) }

  var reduceTaskCount: Int {
    chunks == 0 ? ceilingQuotient(geometry.weightCount, 1 << 16) : channelBlocks * filterBlocks * reductionsPerBlock
  }

  func reduce(tasks: Range<Int>, partials: UnsafePointer<Float>, dw: UnsafeMutablePointer<Float>) {
    for task in tasks {
      if chunks == 0 {
        for i in task << 16..<min(geometry.weightCount, (task &+ 1) << 16) { dw[i] = 0 }
      } else {
        reduce(
          block: task / reductionsPerBlock, firstRow: task % reductionsPerBlock &* channelsPerReduction, partials, dw)
      }
    }
  }

  /// dw = sum over chunks of G^T m G, in order of the chunks, for some channels of a block.
  private func reduce(
    block: Int, firstRow: Int, _ partials: UnsafePointer<Float>, _ dw: UnsafeMutablePointer<Float>
  ) {
    let (firstChannel, channels) = channelBlock(block)
    let (firstFilter, filters) = filterBlock(block)
    for row in firstRow..<max(firstRow, min(channels, firstRow &+ channelsPerReduction)) {
      let target = dw + ((firstChannel &+ row) &* geometry.k &+ firstFilter)
      for chunk in 0..<chunks {
        let m = partials + ((chunk &* channelBlocks &* filterBlocks &+ block) &* blockCount &+ row &* width)
        var k = 0
        while k < filters {
          Winograd.transformWeightGradient(
            window: tiles.window, m + k, step: productStep, target + k, tapStep: geometry.c &* geometry.k,
            valid: min(lanes, filters &- k), accumulates: chunk > 0)
          k &+= lanes
        }
      }
    }
  }
}
