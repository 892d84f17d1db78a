import TesseraKernelContract

/// What the algorithms are expected to cost, in steps of one multiply-add of a vector: the whole of the cost model. It
/// counts the register tiles as the plans cut them; of memory it knows what the constants hold.
enum ConvolutionCost {
  /// What work takes, in steps.
  private struct Constants {
    /// A step of a register tile.
    var step: Double
    /// From one register tile to the next: accumulators are loaded and stored.
    var tile: Double
    /// Winograd's transform of one vector of a tile's inputs or outputs, forward and backward-data.
    var transform: Double
    /// The same where it is the weights that are computed: both operands are transformed, block by block.
    var gradientTransform: Double
    /// Winograd's transform of one vector of weights.
    var weightTransform: Double
    /// The transform back of one vector of their gradient.
    var weightGradientTransform: Double
    /// One vector of the gradient at one point that level 3 doesn't keep until it is transformed back.
    var spill: Double
    /// One vector of a block of pixels that is dealt out.
    var deal: Double
    /// One vector of weights brought into order for backward-data.
    var pack: Double
    /// One weight of pixel blocks brought into order.
    var packPixels: Double
  }

  /// Fitted with AVX-512 on a Zen 4 core; Docs/Kernels.md says how. In steps, they hold for the other instruction sets
  /// too, and they aren't chosen by the processor's model (Docs/Decisions/0009-saved-choices.md).
  private static var constants: Constants {
    Constants(
      step: 1.1, tile: 120, transform: 170, gradientTransform: 300, weightTransform: 350,
      weightGradientTransform: 150, spill: 20, deal: 100, pack: 20, packPixels: 2.5)
  }

  static func direct(_ pass: ConvolutionPass, _ g: ConvolutionGeometry, _ caches: CacheSizes) -> Double {
    switch pass {
    case .forward: return cost(blocked(Correlation(forward: g), caches).tiles)
    case .backwardData:
      let vectors = g.r * g.s * g.groups * g.filtersPerGroup * ceilingQuotient(g.channelsPerGroup, lanes)
      return cost(blocked(Correlation(backwardData: g), caches).tiles) + constants.pack * Double(vectors)
    case .backwardWeights:
      return direct(DirectWeightGradient(g, caches: caches))
    }
  }

  static func direct(_ plan: DirectWeightGradient) -> Double {
    let g = plan.geometry
    let merged = plan.mergesTaps
    let rows = TileCount.column(
      rows: merged ? plan.depth * g.s : plan.depth, filters: plan.filters, vectors: plan.vectors)
    let y = TapAxis.forward(
      window: g.r, stride: g.strideY, dilation: g.dilationY, pad: g.padTop, inputExtent: g.h, outputCount: g.p)
    let x = TapAxis.forward(
      window: g.s, stride: g.strideX, dilation: g.dilationX, pad: g.padLeft, inputExtent: g.w, outputCount: g.q)
    let columns = merged ? Double(g.q) : x.tapCount
    return constants.step * rows.steps * Double(plan.groups) * Double(g.n) * y.tapCount * columns
  }

  static func pixelBlock(_ g: ConvolutionGeometry, _ caches: CacheSizes) -> Double {
    let correlation = PixelBlockConvolution.correlation(g, caches)
    let blocks = Double(correlation.images * correlation.yAxis.outputCount * correlation.xAxis.outputCount)
    return cost(correlation.tiles) + constants.deal * blocks * Double(ceilingQuotient(correlation.filters, lanes))
      + constants.packPixels * Double(correlation.taps * correlation.depth * correlation.filters)
  }

  static func winograd(_ pass: ConvolutionPass, _ g: ConvolutionGeometry, _ caches: CacheSizes) -> Double {
    let k = constants
    switch pass {
    case .forward:
      // Prepared once for many runs: the weights don't count.
      return winograd(WinogradConvolution(forward: g, caches: caches))
    case .backwardData:
      return winograd(WinogradConvolution(backwardData: g, caches: caches))
        + k.weightTransform * Double(g.k * ceilingQuotient(g.c, lanes))
    case .backwardWeights:
      let plan = WinogradWeightGradient(g)
      let bytes = Winograd.points * g.c * g.k * MemoryLayout<Float>.stride
      let spills = bytes > caches.level3Bytes ? k.spill * Double(Winograd.points) : 0
      return winograd(plan)
        + (k.weightGradientTransform + spills) * Double(g.c * ceilingQuotient(g.k, lanes))
    }
  }

  /// Without the weights.
  static func winograd(_ plan: WinogradConvolution) -> Double {
    cost(plan.products) + constants.transform * plan.transformedVectors
  }

  /// Without the transform back.
  static func winograd(_ plan: WinogradWeightGradient) -> Double {
    cost(plan.products) + constants.gradientTransform * plan.transformedVectors
  }

  static func cost(_ tiles: TileCount) -> Double {
    constants.step * tiles.steps + constants.tile * tiles.tiles
  }

  private static func blocked(_ correlation: Correlation, _ caches: CacheSizes) -> Correlation {
    var correlation = correlation
    correlation.chooseBlocking(caches: caches)
    return correlation
  }
}

/// Register tiles, and the steps of their loops together.
struct TileCount: Sendable {
  var steps = 0.0
  var tiles = 0.0

  /// A column of tiles so many rows high for each block of filters, in one turn of the loop.
  static func column(rows: Int, filters: Int, vectors: Int) -> TileCount {
    var count = TileCount()
    guard rows > 0, filters > 0 else { return count }
    let width = vectors * lanes
    count.add(filters / width, rows: rows, vectors: vectors)
    if filters % width > 0 { count.add(1, rows: rows, vectors: ceilingQuotient(filters % width, lanes)) }
    return count
  }

  private mutating func add(_ blocks: Int, rows: Int, vectors: Int) {
    let tallest = TileList.maximumRows(vectors: vectors)
    steps += Double(blocks * tileSteps(extent: rows, tallest: tallest, vectors: vectors))
    tiles += Double(blocks * ceilingQuotient(rows, tallest))
  }

  /// Adds so many of a column, each with so many turns of the loop.
  mutating func add(_ column: TileCount, times: Double, turns: Double) {
    steps += column.steps * times * turns
    tiles += column.tiles * times
  }
}

extension TapAxis {
  /// Pairs of an output and a tap whose input is inside the image.
  var tapCount: Double {
    var (count, i) = (0.0, 0)
    while i < outputCount {
      let end = runEnd(from: i, limit: outputCount)
      count += Double(end - i) * Double(tapsInside(i).count)
      i = end
    }
    return count
  }
}

extension Correlation {
  /// The tiles of all boxes, those of a task's images together.
  var tiles: TileCount {
    var count = TileCount()
    let parts = Double(groups) * Double(images) / Double(imagesPerTask)
    for yPhase in 0..<yPhases {
      for xPhase in 0..<xPhases { addTiles(yAxis(phase: yPhase), xAxis(phase: xPhase), parts: parts, to: &count) }
    }
    return count
  }

  private func addTiles(_ y: TapAxis, _ x: TapAxis, parts: Double, to count: inout TileCount) {
    var row = 0
    while row < y.outputCount {
      let rowEnd = y.runEnd(from: row, limit: y.outputCount)
      var column = 0
      while column < x.outputCount {
        let columnEnd = x.runEnd(from: column, limit: x.outputCount)
        let (n, h, w) = (imagesPerTask, rowEnd - row, columnEnd - column)
        // As `runTiles` goes through a box.
        let inner = w * 2 < maximumRows ? max(n, h, w) : w
        count.add(
          .column(rows: inner, filters: filters, vectors: vectors), times: parts * Double(n * h * w / inner),
          turns: Double(y.tapsInside(row).count * x.tapsInside(column).count) * Double(depth))
        column = columnEnd
      }
      row = rowEnd
    }
  }
}

extension WinogradConvolution {
  var products: TileCount {
    var count = TileCount()
    let (rows, taller) = tiles.count.quotientAndRemainder(dividingBy: max(1, tileChunks))
    for (rows, chunks) in [(rows + 1, taller), (rows, tileChunks - taller)] {
      count.add(
        .column(rows: rows, filters: filters, vectors: vectors), times: Double(chunks * Winograd.points),
        turns: Double(channels))
    }
    return count
  }

  /// Inputs once for each task's blocks, outputs once. A vector that channels don't fill is copied as well, and counts
  /// twice.
  var transformedVectors: Double {
    func vectors(_ channels: Int) -> Int { ceilingQuotient(channels, lanes) + (channels % lanes > 0 ? 1 : 0) }
    return Double(tiles.count) * Double(vectors(channels) * ceilingQuotient(blocks, blocksPerTask) + vectors(filters))
  }
}

extension WinogradWeightGradient {
  var products: TileCount {
    var count = TileCount()
    let (whole, rest) = geometry.c.quotientAndRemainder(dividingBy: channelsPerBlock)
    let times = Double(Winograd.points * steps)
    let turns = Double(tilesPerStep)
    count.add(
      .column(rows: channelsPerBlock, filters: geometry.k, vectors: vectors), times: times * Double(whole),
      turns: turns)
    count.add(.column(rows: rest, filters: geometry.k, vectors: vectors), times: times, turns: turns)
    return count
  }

  /// Each operand once for each block of the other.
  var transformedVectors: Double {
    let inputs = ceilingQuotient(geometry.c, lanes) * filterBlocks
    return Double(tiles.count) * Double(inputs + ceilingQuotient(geometry.k, lanes) * channelBlocks)
  }
}
