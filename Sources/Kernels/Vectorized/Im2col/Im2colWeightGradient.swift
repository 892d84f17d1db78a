import TesseraKernelContract

/// Backward-weights as one matrix product a group: dw = patches^T dy, with the ``Patches`` of x in forward.
///
/// A task owns some elements of the patches, a block of filters and a chunk of the windows. Strip by strip it unrolls
/// the windows' patches, [windows][elements], copies their dy, [windows][width], and adds the product to its part of
/// the chunk's dw in the partials, [chunks][R,S,C/G,K].
struct Im2colWeightGradient: PlannedWeightGradient {
  private let geometry: ConvolutionGeometry
  private let patches: Patches
  private let vectors: Int
  private let elementsPerTask: Int
  private let windowsPerStrip: Int, stripsPerChunk: Int

  private var width: Int { vectors * lanes }
  private var filters: Int { geometry.filtersPerGroup }
  private var blocks: Int { ceilingQuotient(filters, width) }
  private var parts: Int { ceilingQuotient(patches.depth, elementsPerTask) }
  private var strips: Int { ceilingQuotient(patches.count, windowsPerStrip) }
  private var chunks: Int { ceilingQuotient(strips, stripsPerChunk) }
  private var sums: PartialSums { PartialSums(count: geometry.weightCount, chunks: chunks) }

  init(_ g: ConvolutionGeometry) {
    geometry = g
    let patches = Patches(forward: g)
    self.patches = patches
    // A part of the patches and its products, 256 x 64 floats, stay in level 2 beside each other.
    let elementsPerTask = evenShare(patches.depth, at: 256)
    self.elementsPerTask = elementsPerTask
    vectors = widestTile(filters: g.filtersPerGroup, maximumVectors: TileList.maximumVectors) {
      tileSteps(extent: elementsPerTask, tallest: TileList.maximumRows(vectors: $0), vectors: $0)
    }
    // Accumulators are loaded and stored once for so many multiply-adds, and a strip's dy stays in level 1.
    windowsPerStrip = evenShare(patches.count, at: 96)
    let strips = ceilingQuotient(patches.count, windowsPerStrip)
    // As long as a task of the direct algorithm, as far as the bound of the partials lets it.
    let target = taskFlops(g.flops)
    let others =
      g.groups * ceilingQuotient(g.filtersPerGroup, vectors * lanes) * ceilingQuotient(patches.depth, elementsPerTask)
    let together = g.groups > 1 ? ceilingQuotient(patches.count, patches.windowsTogether) : 1
    let wanted = max(together, ceilingQuotient(Int(g.flops / target), others))
    let chunks = max(1, min(wanted, strips, PartialSums.mostChunks(count: g.weightCount)))
    stripsPerChunk = evenShare(strips, at: ceilingQuotient(strips, chunks))
  }

  var name: String {
    "conv2d.backward-weights.im2col.f32.\(Kernels.instructionSet.name)."
      + "\(TileList.maximumRows(vectors: vectors))x\(vectors)"
  }

  var taskCount: Int { chunks * geometry.groups * blocks * parts }
  var multiplyAddSteps: Double {
    var count = TileCount()
    count.add(
      .column(rows: patches.depth, filters: geometry.filtersPerGroup, vectors: vectors),
      times: Double(geometry.groups), turns: Double(patches.count))
    return ConvolutionCost.cost(count)
  }
  var partialsCount: Int { sums.partialsCount }
  var scratchCount: Int {
    Patches.partCount(rows: windowsPerStrip, depth: elementsPerTask) + windowsPerStrip * width
  }

  func accumulate(
    tasks: Range<Int>, x: UnsafePointer<Float>, dy: UnsafePointer<Float>, partials: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    for task in tasks { accumulate(task: task, x, dy, partials, scratch) }
  }

  private func accumulate(
    task: Int, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ partials: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    let k = geometry.k
    var rest = task
    let first = rest % parts &* elementsPerTask
    rest /= parts
    let firstFilter = rest % blocks &* width
    rest /= blocks
    let group = rest % geometry.groups
    let chunk = rest / geometry.groups

    let elements = first..<min(patches.depth, first &+ elementsPerTask)
    let valid = min(width, filters &- firstFilter)
    let blockVectors = ceilingQuotient(valid, lanes)
    let channel = group &* filters &+ firstFilter
    let step = Patches.rowStep(depth: elementsPerTask)
    let deltas = scratch + Patches.partCount(rows: windowsPerStrip, depth: elementsPerTask)
    let firstStrip = chunk &* stripsPerChunk
    for strip in firstStrip..<min(strips, firstStrip &+ stripsPerChunk) {
      let windows = strip &* windowsPerStrip..<min(patches.count, (strip &+ 1) &* windowsPerStrip)
      patches.unroll(x, group: group, windows: windows, elements: elements, scratch, step: step)
      copyRows(dy + (windows.lowerBound &* k &+ channel), step: k, deltas, rows: windows.count, valid: valid)
      let tile = TileTask(
        a: scratch, b: deltas, out: partials + (chunk &* geometry.weightCount &+ first &* k &+ channel), bias: nil,
        aRow: 1, aDepth: step, bDepth: blockVectors &* lanes, outRow: k, depth: windows.count, tCount: 1, tA: 0, tB: 0,
        uCount: 1, uA: 0, uB: 0, valid: valid, accumulates: strip > firstStrip, epilogue: .none)
      tile.runColumn(rows: elements.count, vectors: blockVectors)
    }
  }

  var reduceTaskCount: Int { sums.taskCount }

  func reduce(tasks: Range<Int>, partials: UnsafePointer<Float>, dw: UnsafeMutablePointer<Float>) {
    for task in tasks { sums.add(task: task, partials, to: dw) }
  }
}
