import TesseraKernelContract

/// Backward-data where an image has few channels, as in a network's first layer: the channels of a block of pixels fill
/// the vector that those of one pixel would leave empty.
///
/// A block of rows x columns pixels, multiples of the stride, sees the same deltas as its neighbour, shifted. So
///
/// dx[n, i rows + y, j columns + x, c] = sum over u, t, k of dy[n, i rows/stride + first + u, ..., k] packed[u, t, k, (y, x, c)]
///
/// is a ``Correlation`` with the block's pixels for filters, whose packed weights are 0 where pixel and delta share no
/// tap. A task's result goes to scratch and is dealt out from there: a pixel's channels don't fill a store.
struct PixelBlockConvolution: PlannedConvolution {
  private let geometry: ConvolutionGeometry
  private let correlation: Correlation
  private let y: BlockAxis, x: BlockAxis

  /// One direction of a block.
  struct BlockAxis: Sendable {
    /// Pixels of a block.
    let pixels: Int
    /// Deltas that the block sees: number `first` of the block at 0 and those behind it.
    let first: Int, taps: Int

    /// dx position h = p stride - pad + r dilation, 0 <= r < window.
    init(pixels: Int, window: Int, stride: Int, dilation: Int, pad: Int) {
      self.pixels = pixels
      let reach = pad - (window - 1) * dilation
      first = reach >= 0 ? (reach + stride - 1) / stride : -(-reach / stride)
      taps = max(0, (pixels - 1 + pad) / stride - first + 1)
    }

    /// The tap of the window at which a pixel of the block meets its delta number u; nil if they don't meet.
    func tap(pixel: Int, delta u: Int, window: Int, stride: Int, dilation: Int, pad: Int) -> Int? {
      let distance = pixel + pad - (first + u) * stride
      guard distance >= 0, distance % dilation == 0, distance / dilation < window else { return nil }
      return distance / dilation
    }

    func tapAxis(stride: Int, inputExtent: Int, extent: Int) -> TapAxis {
      TapAxis(
        taps: taps, firstTap: 0, tapStep: 1, offset: first, offsetStep: 1, inputStep: pixels / stride,
        inputExtent: inputExtent, outputStart: 0, outputStep: 1, outputCount: ceilingQuotient(extent, pixels))
    }
  }

  static func refusal(_ pass: ConvolutionPass, _ g: ConvolutionGeometry) -> String? {
    if pass != .backwardData { return "\(pass.rawValue), not backward-data" }
    if g.groups != 1 { return "\(g.groups) groups, not one" }
    // A product of strides may not fit an integer.
    let room = TileList.maximumVectors * lanes
    if Double(g.strideY) * Double(g.strideX) * Double(g.c) > Double(room) {
      return "\(g.strideY)x\(g.strideX) pixels of \(g.c) channels in the smallest block, more than a tile's \(room)"
    }
    return nil
  }

  /// The block that costs least: deltas that it sees times vectors, a pixel.
  private static func axes(_ g: ConvolutionGeometry) -> (y: BlockAxis, x: BlockAxis) {
    func y(_ steps: Int) -> BlockAxis {
      BlockAxis(pixels: steps * g.strideY, window: g.r, stride: g.strideY, dilation: g.dilationY, pad: g.padTop)
    }
    func x(_ steps: Int) -> BlockAxis {
      BlockAxis(pixels: steps * g.strideX, window: g.s, stride: g.strideX, dilation: g.dilationX, pad: g.padLeft)
    }
    var best = (y(1), x(1))
    var least = cost(g, best)
    for rows in 1...8 {
      for columns in 1...8 where rows * columns * g.strideY * g.strideX * g.c <= TileList.maximumVectors * lanes {
        let axes = (y(rows), x(columns))
        let cost = cost(g, axes)
        if cost < least { (best, least) = (axes, cost) }
      }
    }
    return best
  }

  private static func cost(_ g: ConvolutionGeometry, _ axes: (y: BlockAxis, x: BlockAxis)) -> Double {
    let blocks = ceilingQuotient(g.h, axes.y.pixels) * ceilingQuotient(g.w, axes.x.pixels)
    let vectors = ceilingQuotient(axes.y.pixels * axes.x.pixels * g.c, lanes)
    return Double(g.n * blocks) * Double(max(1, axes.y.taps * axes.x.taps) * g.k * vectors)
  }

  /// The blocks as a correlation.
  static func correlation(_ g: ConvolutionGeometry, _ caches: CacheSizes) -> Correlation {
    correlation(g, axes(g), caches)
  }

  private static func correlation(_ g: ConvolutionGeometry, _ axes: (y: BlockAxis, x: BlockAxis), _ caches: CacheSizes)
    -> Correlation
  {
    let (y, x) = axes
    let width = y.pixels * x.pixels * g.c
    var correlation = Correlation(
      yAxis: y.tapAxis(stride: g.strideY, inputExtent: g.p, extent: g.h),
      xAxis: x.tapAxis(stride: g.strideX, inputExtent: g.q, extent: g.w),
      images: g.n, groups: 1, depth: g.k, filters: width, windowHeight: y.taps, windowWidth: x.taps,
      imageInput: g.p * g.q * g.k, rowInput: g.q * g.k, columnInput: g.k, depthInput: 1,
      imageOutput: 0, rowOutput: 0, columnOutput: width)
    correlation.chooseBlocking(caches: caches)
    // A block is dealt out as a whole.
    correlation.blocksPerTask = correlation.blocks
    correlation.rowOutput = correlation.columnsPerTask * width
    correlation.imageOutput = correlation.rowsPerTask * correlation.rowOutput
    return correlation
  }

  init(_ g: ConvolutionGeometry, caches: CacheSizes) {
    geometry = g
    (y, x) = Self.axes(g)
    correlation = Self.correlation(g, (y, x), caches)
  }

  var name: String {
    "conv2d.backward-data.pixel-block\(y.pixels)x\(x.pixels).f32.\(Kernels.instructionSet.name)."
      + "\(correlation.maximumRows)x\(correlation.vectors)"
  }

  /// The bias of a block, and a task's result.
  var scratchCount: Int { correlation.filters + correlation.imagesPerTask * correlation.imageOutput }
  var taskCount: Int { correlation.taskCount }
  var channelParts: Int { 1 }
  var multiplyAddSteps: Double { ConvolutionCost.cost(correlation.tiles) }

  func run(tasks: Range<Int>, _ operands: ConvolutionOperands, scratch: UnsafeMutablePointer<Float>) {
    for task in tasks { run(task: task, operands, scratch) }
  }

  private func run(task: Int, _ operands: ConvolutionOperands, _ scratch: UnsafeMutablePointer<Float>) {
    let width = correlation.filters
    let result = scratch + width
    let part = correlation.part(ofTask: task)
    var local = operands
    if let bias = operands.bias {
      for i in 0..<width { scratch[i] = bias[i % geometry.c] }
      local.bias = UnsafePointer(scratch)
    }
    local.output =
      result
      - (part.images.lowerBound &* correlation.imageOutput &+ part.rows.lowerBound &* correlation.rowOutput
        &+ part.columns.lowerBound &* width)
    let finishes = operands.followsInMemory
    if finishes { (local.addend, local.activated, local.activation) = (nil, nil, .identity) }
    correlation.run(task: task, local)

    for image in part.images {
      for row in part.rows {
        for column in part.columns {
          let block =
            local.output + (image &* correlation.imageOutput &+ row &* correlation.rowOutput &+ column &* width)
          deal(block, image, row &* y.pixels, column &* x.pixels, operands, finishes: finishes)
        }
      }
    }
  }

  /// Copies a block's rows of pixels to the image, and finishes them there.
  @inline(__always)
  private func deal(
    _ block: UnsafePointer<Float>, _ image: Int, _ h: Int, _ w: Int, _ operands: ConvolutionOperands, finishes: Bool
  ) {
    let g = geometry
    let count = min(x.pixels, g.w &- w) &* g.c
    for row in 0..<min(y.pixels, g.h &- h) {
      let source = block + row &* x.pixels &* g.c
      let target = operands.output + ((image &* g.h &+ h &+ row) &* g.w &+ w) &* g.c
      var i = 0
      while i < count {
        let valid = min(lanes, count &- i)
        storeFirst(valid, loadFirst(valid, source + i), target + i)
        i &+= lanes
      }
      if finishes { operands.finish(target, count: count) }
    }
  }

  // MARK: Weights

  var packedCount: Int { correlation.groupPacked }
  var packTaskCount: Int { y.taps * x.taps }
  var packScratchCount: Int { 0 }

  func pack(
    tasks: Range<Int>, weights: UnsafePointer<Float>, packed: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    for task in tasks { pack(u: task / x.taps, t: task % x.taps, weights, packed) }
  }

  /// One tap of every block of the correlation's filters, in its order [block][tap][k][width].
  private func pack(
    u: Int, t: Int, _ weights: UnsafePointer<Float>, _ packed: UnsafeMutablePointer<Float>
  ) {
    let g = geometry
    for block in 0..<correlation.blocks {
      let first = block &* correlation.width
      let valid = min(correlation.width, correlation.filters &- first)
      let width = ceilingQuotient(valid, lanes) &* lanes
      let target = packed + (first &* correlation.taps &+ (u &* x.taps &+ t) &* width) &* g.k
      for i in 0..<g.k &* width { target[i] = 0 }
      for lane in 0..<valid {
        let c = (first &+ lane) % g.c
        let pixel = (first &+ lane) / g.c
        guard
          let r = y.tap(
            pixel: pixel / x.pixels, delta: u, window: g.r, stride: g.strideY, dilation: g.dilationY, pad: g.padTop),
          let s = x.tap(
            pixel: pixel % x.pixels, delta: t, window: g.s, stride: g.strideX, dilation: g.dilationX, pad: g.padLeft)
        else { continue }
        let source = weights + ((r &* g.s &+ s) &* g.c &+ c) &* g.k
        for k in 0..<g.k { target[k &* width &+ lane] = source[k] }
      }
    }
  }
}
