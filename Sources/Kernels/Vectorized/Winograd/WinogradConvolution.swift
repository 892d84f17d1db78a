import CTesseraShims
import TesseraKernelContract

/// Forward or backward-data as F(4x4, 3x3) or F(2x2, 5x5), fused: a task transforms a group of tiles, multiplies it by the
/// transformed weights of some filters, point by point, and transforms back, before it takes the next group.
///
/// For 64 channels a task's scratch is 440 KB and stays in a level 2 of 1 MB; with more channels V comes from level 3 in
/// part. That costs little: each row of V is used by several register tiles, and each panel of U is one stream of memory.
/// Groups of 6 to 48 tiles were as fast within the noise on layers of 64 to 512 channels, groups of 4 slower by 5 % with
/// 512 channels. So a group is as small as other runs and many workers want it, down to the rows of one register tile.
///
/// - V: [36][tiles][channels], M: [36][tiles][width], a task's scratch; U: [block][36][channels][width], the packed
///   weights, where a block is `vectors` vectors of filters.
/// - Points are a line further apart than the data need: 36 streams at a distance of a power of two would share two
///   sets of level 1.
struct WinogradConvolution: StridedConvolution {
  let name: String
  let tiles: WinogradTiles
  let channels: Int, filters: Int
  /// Floats from a pixel to the next.
  private var inputPitch: Int, outputPitch: Int
  private let source: WeightLayout
  let vectors: Int
  /// Groups of tiles, whose sizes differ by one at most, and the largest of them.
  let tileChunks: Int, tilesPerTask: Int
  let blocksPerTask: Int
  /// Whether U, four times the weights, is too large for the caches to keep until it is read.
  private let exceedsCaches: Bool

  private var width: Int { vectors * lanes }
  var blocks: Int { ceilingQuotient(filters, width) }
  private var paddedChannels: Int { ceilingQuotient(channels, lanes) * lanes }
  private var inputStep: Int { tilesPerTask * paddedChannels + Self.line }
  private var productStep: Int { tilesPerTask * width + Self.line }
  private static var line: Int { 16 }

  /// Floats from one point of a block's panel to the next.
  private func panelStep(_ blockWidth: Int) -> Int { channels * blockWidth + Self.line }

  init(forward g: ConvolutionGeometry, caches: CacheSizes) {
    self.init(
      "forward", WinogradTiles(forward: g), channels: g.c, filters: g.k,
      WeightLayout(tapStride: g.c * g.k, depthStride: g.k, filterStride: 1), caches)
  }

  init(backwardData g: ConvolutionGeometry, caches: CacheSizes) {
    self.init(
      "backward-data", WinogradTiles(backwardData: g), channels: g.k, filters: g.c,
      WeightLayout(rotated: true, tapStride: g.c * g.k, depthStride: 1, filterStride: g.k), caches)
  }

  private init(
    _ pass: String, _ tiles: WinogradTiles, channels: Int, filters: Int, _ source: WeightLayout, _ caches: CacheSizes
  ) {
    (self.tiles, self.channels, self.filters, self.source) = (tiles, channels, filters, source)
    (inputPitch, outputPitch) = (channels, filters)
    // Four of the tallest tiles of the widest kind.
    let group = 4 * TileList.maximumRows(vectors: TileList.maximumVectors)
    let vectors = widestTile(filters: filters, maximumVectors: TileList.maximumVectors) {
      tileSteps(extent: group, tallest: TileList.maximumRows(vectors: $0), vectors: $0)
    }
    self.vectors = vectors
    // 128 tasks are wanted, of at most 500,000 steps, some 150 us, if the rows of one register tile allow it. The transform of
    // the input is done again for each group of blocks: two blocks and few tiles are better than one block and twice the
    // tiles (256 channels at 56 x 56: 156 and 173 ms on one worker, all blocks 151).
    let tallest = TileList.maximumRows(vectors: vectors)
    let affordable = 500_000 / max(1, Winograd.points * channels * vectors)
    let blocks = ceilingQuotient(filters, vectors * lanes)
    let most = min(group, affordable / max(1, min(blocks, 2)), ceilingQuotient(tiles.count, 128)) / tallest * tallest
    tileChunks = ceilingQuotient(tiles.count, max(tallest, most))
    tilesPerTask = max(1, ceilingQuotient(tiles.count, max(1, tileChunks)))
    let wanted = ceilingQuotient(128, max(1, tileChunks))
    blocksPerTask = evenShare(blocks, at: min(ceilingQuotient(blocks, wanted), max(1, affordable / tilesPerTask)))
    let weights = Winograd.points * channels * filters * MemoryLayout<Float>.stride
    // Only whole lines can go past the caches at once.
    exceedsCaches = lanes >= Self.line && 4 * weights > caches.level3Bytes
    name =
      "conv2d.\(pass).winograd\(tiles.outputs)x\(tiles.outputs).f32.\(Kernels.instructionSet.name)."
      + "\(TileList.maximumRows(vectors: vectors))x\(vectors)"
  }

  var taskCount: Int { tileChunks * ceilingQuotient(blocks, blocksPerTask) }
  var channelParts: Int { ceilingQuotient(blocks, blocksPerTask) }
  var multiplyAddSteps: Double { ConvolutionCost.winograd(self) }
  var scratchCount: Int {
    Winograd.points * (inputStep + productStep) + width + TilePixels.scratchCount(channels: max(channels, filters))
      + tileOutputs * width
  }
  /// The outputs of a tile.
  private var tileOutputs: Int { tiles.outputs * tiles.outputs }
  /// Without a dilation a tile's outputs are neighbours, an even number each way.
  var takesPooling: Bool { tiles.dilationY == 1 && tiles.dilationX == 1 }

  func run(tasks: Range<Int>, _ operands: ConvolutionOperands, scratch: UnsafeMutablePointer<Float>) {
    for task in tasks { run(task: task, operands, scratch) }
  }

  func strided(inputPitch: Int?, outputPitch: Int?) -> Self {
    var copy = self
    copy.inputPitch = inputPitch ?? channels
    copy.outputPitch = outputPitch ?? filters
    return copy
  }

  private func run(task: Int, _ operands: ConvolutionOperands, _ scratch: UnsafeMutablePointer<Float>) {
    let v = scratch
    let m = v + Winograd.points &* inputStep
    let bias = m + Winograd.points &* productStep
    let channelsOfPixel = max(channels, filters)
    let pixels = TilePixels(bias + width, channels: channelsOfPixel)
    let unpooled = bias + (width &+ TilePixels.scratchCount(channels: channelsOfPixel))

    let chunk = task % tileChunks
    let firstTile = tiles.count &* chunk / tileChunks
    let count = tiles.count &* (chunk &+ 1) / tileChunks &- firstTile
    for t in 0..<count {
      pixels.findInputs(of: tiles[firstTile &+ t], tiles, operands.input, pixelStep: inputPitch)
      pixels.transformInput(channels: channels, v + t &* paddedChannels, step: inputStep)
    }
    let firstBlock = task / tileChunks &* blocksPerTask
    for block in firstBlock..<min(blocks, firstBlock &+ blocksPerTask) {
      if operands.followsTransform && !operands.poolsMaximum {
        // They come while the products are computed.
        for t in 0..<count { finish(tiles[firstTile &+ t], pixels, block, operands, onlyAsks: true) }
      }
      multiply(block, count, v, operands.packed, m)
      copyBias(operands.bias, block, bias)
      for t in 0..<count {
        let tile = tiles[firstTile &+ t]
        let products = m + t &* blockWidth(block)
        if operands.poolsMaximum {
          pool(tile, pixels, block, products, bias, unpooled, operands)
          continue
        }
        pixels.findOutputs(of: tile, tiles, operands.output, pixelStep: outputPitch)
        transformOutput(pixels, block, products, bias, operands)
        if operands.followsTransform { finish(tile, pixels, block, operands, onlyAsks: false) }
      }
    }
  }

  /// Floats of a row of the block's panels.
  @inline(__always)
  private func blockWidth(_ block: Int) -> Int {
    min(width, ceilingQuotient(filters &- block &* width, lanes) &* lanes)
  }

  /// M[i] = V[i] U[i] for each point i.
  private func multiply(
    _ block: Int, _ count: Int, _ v: UnsafePointer<Float>, _ packed: UnsafePointer<Float>,
    _ m: UnsafeMutablePointer<Float>
  ) {
    let blockWidth = blockWidth(block)
    let blockVectors = blockWidth / lanes
    let panel = packed + block &* Winograd.points &* panelStep(width)
    let panelStep = panelStep(blockWidth)
    for point in 0..<Winograd.points {
      let tile = TileTask(
        a: v + point &* inputStep, b: panel + point &* panelStep, out: m + point &* productStep, bias: nil,
        aRow: paddedChannels, aDepth: 1, bDepth: blockWidth, outRow: blockWidth, depth: channels, tCount: 1, tA: 0,
        tB: 0, uCount: 1, uA: 0, uB: 0, valid: blockWidth, accumulates: false, epilogue: .none)
      // The next point's panel follows.
      var next = NextOperands(b: panelStep, bCount: blockWidth)
      tile.runColumn(rows: count, vectors: blockVectors, asking: &next)
    }
  }

  /// The bias of a block, in whole vectors.
  private func copyBias(_ all: UnsafePointer<Float>?, _ block: Int, _ target: UnsafeMutablePointer<Float>) {
    let firstFilter = block &* width
    forEachVector(min(width, filters &- firstFilter)) { k, valid in
      var bias = Vector.zero
      if let all { bias = load(all + (firstFilter &+ k), valid: valid) }
      store(bias, target + k)
    }
  }

  /// y = max(A^T m A + bias, least) for one tile and block, where least is that of ReLU if it doesn't follow.
  private func transformOutput(
    _ pixels: TilePixels, _ block: Int, _ m: UnsafePointer<Float>, _ bias: UnsafePointer<Float>,
    _ operands: ConvolutionOperands
  ) {
    let least = operands.leastOfTransform
    let firstFilter = block &* width
    let count = min(width, filters &- firstFilter)
    var k = 0
    while k &+ lanes <= count {
      Winograd.transformOutput(
        outputs: tiles.outputs, m + k, step: productStep, bias: bias + k, least: least, pixels.pixels,
        filter: firstFilter &+ k)
      k &+= lanes
    }
    if k < count {
      Winograd.transformOutput(
        outputs: tiles.outputs, m + k, step: productStep, bias: bias + k, least: least, pixels.edgePixels, filter: 0)
      pixels.storeEdge(tileOutputs, channel: firstFilter &+ k, valid: count &- k)
    }
  }

  /// Does to a tile's outputs, in level 1, what the transform doesn't; or asks for what it reads besides them.
  private func finish(
    _ tile: WinogradTiles.Tile, _ pixels: TilePixels, _ block: Int, _ operands: ConvolutionOperands, onlyAsks: Bool
  ) {
    let firstFilter = block &* width
    let count = min(width, filters &- firstFilter)
    if onlyAsks { pixels.findOutputs(of: tile, tiles, operands.output, pixelStep: outputPitch) }
    for i in 0..<tile.rows {
      for j in 0..<tile.columns {
        let row = pixels.pixels[i &* tiles.outputs &+ j] + firstFilter
        if onlyAsks { operands.askForRow(row, count: count) } else { operands.finish(row, count: count) }
      }
    }
  }

  /// The maxima of 2 x 2 outputs of one tile and block: the outputs stay in level 1.
  private func pool(
    _ tile: WinogradTiles.Tile, _ pixels: TilePixels, _ block: Int, _ m: UnsafePointer<Float>,
    _ bias: UnsafePointer<Float>, _ unpooled: UnsafeMutablePointer<Float>, _ operands: ConvolutionOperands
  ) {
    let blockWidth = blockWidth(block)
    for index in 0..<tileOutputs { pixels.pixels[index] = unpooled + index &* blockWidth }
    for k in stride(from: 0, to: blockWidth, by: lanes) {
      Winograd.transformOutput(
        outputs: tiles.outputs, m + k, step: productStep, bias: bias + k, least: operands.leastOfTransform,
        pixels.pixels, filter: k)
    }
    if operands.followsTransform {
      Kernels.finish(
        count: tileOutputs &* blockWidth, y: unpooled, addend: nil, activation: operands.activation, activated: nil)
    }
    let (height, columns) = (tiles.outputHeight / 2, tiles.outputWidth / 2)
    let firstFilter = block &* width
    let (below, beside) = (tiles.outputs &* blockWidth, blockWidth)
    for i in 0..<tile.rows / 2 {
      for j in 0..<tile.columns / 2 {
        let pixel = (tile.image &* height &+ tile.row / 2 &+ i) &* columns &+ tile.column / 2 &+ j
        let target = operands.output + (pixel &* outputPitch &+ firstFilter)
        let corner = unpooled + (2 &* i &* below &+ 2 &* j &* beside)
        forEachVector(min(width, filters &- firstFilter)) { k, valid in
          let first = corner + k
          var largest = load(first)
          largest = larger(load(first + beside), largest)
          largest = larger(load(first + below), largest)
          largest = larger(load(first + (below &+ beside)), largest)
          storeFirst(valid, largest, target + k)
        }
      }
    }
  }

  @inline(__always)
  private func larger(_ value: Vector, _ best: Vector) -> Vector { chooseLarger(value, best, value, else: best) }

  // MARK: Weights

  /// Depths that one unit of packing covers.
  private var unitDepth: Int { 16 }
  private var depthUnits: Int { ceilingQuotient(channels, unitDepth) }
  private var unitsPerTask: Int { 2 }
  private var taps: Int { tiles.window * tiles.window }

  var packedCount: Int {
    Winograd.points * (channels * ceilingQuotient(filters, lanes) * lanes + blocks * Self.line)
  }
  var packTaskCount: Int { ceilingQuotient(blocks * depthUnits, unitsPerTask) }
  /// The weights of a unit's depths and one vector of filters, which level 1 holds.
  var packScratchCount: Int { taps * unitDepth * lanes }

  func pack(
    tasks: Range<Int>, weights: UnsafePointer<Float>, packed: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let streams = exceedsCaches && UInt(bitPattern: packed) % 64 == 0
    for unit in tasks.lowerBound &* unitsPerTask..<min(tasks.upperBound &* unitsPerTask, blocks &* depthUnits) {
      pack(
        block: unit / depthUnits, firstDepth: unit % depthUnits &* unitDepth, weights, packed, scratch,
        streams: streams)
    }
    if streams { tessera_stream_fence() }
  }

  private func pack(
    block: Int, firstDepth: Int, _ weights: UnsafePointer<Float>, _ packed: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>, streams: Bool
  ) {
    let depth = min(unitDepth, channels &- firstDepth)
    let blockWidth = blockWidth(block)
    let pointStep = panelStep(blockWidth)
    let target = packed + (block &* Winograd.points &* panelStep(width) &+ firstDepth &* blockWidth)
    let tapStep = depth &* lanes
    var k = 0
    while k < blockWidth {
      let firstFilter = block &* width &+ k
      for tap in 0..<taps {
        source.copyPanel(
          weights, group: 0, tap: tap, taps: taps, firstDepth: firstDepth, depth: depth, firstFilter: firstFilter,
          valid: min(lanes, filters &- firstFilter), scratch + tap &* tapStep)
      }
      for d in 0..<depth {
        Winograd.transformWeights(
          window: tiles.window, scratch + d &* lanes, tapStep: tapStep,
          target + (d &* blockWidth &+ k), step: pointStep, streams: streams)
      }
      k &+= lanes
    }
  }
}

extension ConvolutionOperands {
  /// True iff anything but the bias and ReLU is to be done: the output's transform knows no more.
  fileprivate var followsTransform: Bool {
    switch activation {
    case .leakyRelu, .clip: true
    case .identity, .relu, .sigmoid, .tanh: followsInMemory
    }
  }

  /// What the transform gives at least: that of ReLU if it doesn't follow.
  fileprivate var leastOfTransform: Float { activation == .relu && !followsTransform ? 0 : -.infinity }
}
