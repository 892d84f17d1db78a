import TesseraKernelContract

/// Forward or backward-data as one matrix product a group: the ``Patches`` of the image times the packed weights.
///
/// A task owns some windows and some blocks of output channels. It unrolls the windows' patches into its scratch,
/// [windows][depth], some of the depth after the other, and multiplies them block by block on the register tiles. What
/// the direct algorithm reads in place is copied here once for each group of blocks, and zeros are multiplied like
/// numbers: where a weight isn't finite, pixels next to the padding are NaN.
struct Im2colConvolution: PlannedConvolution {
  let name: String
  private let patches: Patches
  private let packing: WeightPacking
  private let windowsPerTask: Int, blocksPerTask: Int
  /// Elements of the patches that are unrolled at a time.
  private let depthPerStep: Int

  init(forward g: ConvolutionGeometry) {
    self.init(
      "forward", Patches(forward: g), flops: g.flops, groups: g.groups, taps: g.r * g.s, depth: g.channelsPerGroup,
      filters: g.filtersPerGroup,
      WeightLayout(
        groupStride: g.filtersPerGroup, tapStride: g.channelsPerGroup * g.k, depthStride: g.k, filterStride: 1))
  }

  init(backwardData g: ConvolutionGeometry) {
    self.init(
      "backward-data", Patches(backwardData: g), flops: g.flops, groups: g.groups, taps: g.r * g.s,
      depth: g.filtersPerGroup, filters: g.channelsPerGroup,
      WeightLayout(
        rotated: true, groupStride: g.filtersPerGroup, tapStride: g.channelsPerGroup * g.k, depthStride: 1,
        filterStride: g.k))
  }

  private init(
    _ pass: String, _ patches: Patches, flops: Double, groups: Int, taps: Int, depth: Int, filters: Int,
    _ layout: WeightLayout
  ) {
    self.patches = patches
    let rows = patches.count
    let vectors = widestTile(filters: filters, maximumVectors: TileList.maximumVectors) {
      tileSteps(extent: rows, tallest: TileList.maximumRows(vectors: $0), vectors: $0)
    }
    packing = WeightPacking(
      groups: groups, taps: taps, depth: depth, filters: filters, width: vectors * lanes, layout: layout)

    // As long as a task of the direct algorithm. Windows: at least two rows of tiles, and at most what the room holds of
    // short patches; of long ones eight tiles share each step's weights.
    let tallest = TileList.maximumRows(vectors: vectors)
    let target = taskFlops(flops)
    let windowFlops = 2 * Double(patches.depth * packing.width)
    let most = max(8 * tallest, min(Patches.room / patches.depth, patches.windowsTogether))
    windowsPerTask = evenShare(rows, at: min(most, max(2 * tallest, Int(target / windowFlops))))
    let blocks = max(1, Int(target / (windowFlops * Double(windowsPerTask))))
    blocksPerTask = evenShare(packing.blocks, at: blocks)
    depthPerStep = evenShare(patches.depth, at: Patches.room / windowsPerTask)
    name = "conv2d.\(pass).im2col.f32.\(Kernels.instructionSet.name).\(tallest)x\(vectors)"
  }

  private var windowChunks: Int { ceilingQuotient(patches.count, windowsPerTask) }
  private var blockChunks: Int { ceilingQuotient(packing.blocks, blocksPerTask) }

  var taskCount: Int { packing.groups * blockChunks * windowChunks }
  var channelParts: Int { blockChunks }
  var multiplyAddSteps: Double {
    var count = TileCount()
    count.add(
      .column(rows: patches.count, filters: packing.filters, vectors: packing.width / lanes),
      times: Double(packing.groups), turns: Double(patches.depth))
    return ConvolutionCost.cost(count)
  }
  var scratchCount: Int { Patches.partCount(rows: windowsPerTask, depth: depthPerStep) }

  func run(tasks: Range<Int>, _ operands: ConvolutionOperands, scratch: UnsafeMutablePointer<Float>) {
    for task in tasks { run(task: task, operands, scratch) }
  }

  private func run(task: Int, _ operands: ConvolutionOperands, _ scratch: UnsafeMutablePointer<Float>) {
    let group = task % packing.groups
    let firstWindow = task / packing.groups % windowChunks &* windowsPerTask
    let windows = firstWindow..<min(patches.count, firstWindow &+ windowsPerTask)
    let firstBlock = task / packing.groups / windowChunks &* blocksPerTask

    let step = Patches.rowStep(depth: depthPerStep)
    var first = 0
    while first < patches.depth {
      let elements = first..<min(patches.depth, first &+ depthPerStep)
      patches.unroll(operands.input, group: group, windows: windows, elements: elements, scratch, step: step)
      for block in firstBlock..<min(packing.blocks, firstBlock &+ blocksPerTask) {
        multiply(scratch, step, windows, elements, group: group, block: block, operands)
      }
      first &+= depthPerStep
    }
  }

  /// Adds the products of some elements of the patches for one block of output channels.
  private func multiply(
    _ part: UnsafePointer<Float>, _ step: Int, _ windows: Range<Int>, _ elements: Range<Int>, group: Int, block: Int,
    _ operands: ConvolutionOperands
  ) {
    let firstFilter = block &* packing.width
    let valid = min(packing.width, packing.filters &- firstFilter)
    let vectors = ceilingQuotient(valid, lanes)
    let channel = group &* packing.filters &+ firstFilter
    let pixelStep = packing.groups &* packing.filters
    var bias = operands.bias
    if let all = bias { bias = all + channel }
    let isLast = elements.upperBound == patches.depth
    let tile = TileTask(
      a: part,
      b: operands.packed
        + (group &* packing.groupPacked &+ firstFilter &* patches.depth &+ elements.lowerBound &* vectors &* lanes),
      out: operands.output + (windows.lowerBound &* pixelStep &+ channel), bias: bias, aRow: step, aDepth: 1,
      bDepth: vectors &* lanes, outRow: pixelStep, depth: elements.count, tCount: 1, tA: 0, tB: 0, uCount: 1, uA: 0,
      uB: 0, valid: valid, accumulates: elements.lowerBound > 0,
      epilogue: isLast ? Epilogue(operands) : .none)
    tile.runColumn(rows: windows.count, vectors: vectors)
    if isLast, operands.followsInMemory {
      for m in 0..<windows.count { operands.finish(tile.out + m &* pixelStep, count: valid) }
    }
  }

  // MARK: Weights

  var packedCount: Int { packing.packedCount }
  var packTaskCount: Int { packing.taskCount }
  var packScratchCount: Int { 0 }

  func pack(
    tasks: Range<Int>, weights: UnsafePointer<Float>, packed: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    for task in tasks { packing.pack(task: task, weights: weights, packed: packed) }
  }
}
