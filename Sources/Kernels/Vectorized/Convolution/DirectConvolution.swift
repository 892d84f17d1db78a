import TesseraKernelContract

/// The sum as it stands: a ``Correlation`` on packed weights.
struct DirectConvolution: StridedConvolution {
  let name: String
  private(set) var correlation: Correlation
  let packing: WeightPacking

  /// Blocks the correlation. `operation` begins the kernel's name.
  init(_ operation: String, _ correlation: Correlation, _ layout: WeightLayout, caches: CacheSizes) {
    var correlation = correlation
    correlation.chooseBlocking(caches: caches)
    self.correlation = correlation
    packing = WeightPacking(correlation: correlation, layout: layout)
    let kind = correlation.kind == .channelwise ? "depthwise" : "direct"
    name =
      "\(operation).\(kind).f32.\(Kernels.instructionSet.name).\(correlation.maximumRows)x\(correlation.vectors)"
  }

  init(forward g: ConvolutionGeometry, caches: CacheSizes) {
    self.init(
      "conv2d.forward", Correlation(forward: g),
      WeightLayout(
        groupStride: g.filtersPerGroup, tapStride: g.channelsPerGroup * g.k, depthStride: g.k, filterStride: 1),
      caches: caches)
  }

  init(backwardData g: ConvolutionGeometry, caches: CacheSizes) {
    let correlation = Correlation(backwardData: g)
    self.init(
      "conv2d.backward-data", correlation,
      WeightLayout(
        rotated: true, groupStride: g.filtersPerGroup, tapStride: g.channelsPerGroup * g.k, depthStride: 1,
        filterStride: correlation.kind == .channelwise ? 1 : g.k),
      caches: caches)
  }

  var taskCount: Int { correlation.taskCount }
  var channelParts: Int { correlation.groups * correlation.blockChunks }
  var multiplyAddSteps: Double { ConvolutionCost.cost(correlation.tiles) }
  /// Pixels of windows of 1 x 1 are one long row, whatever their image.
  var ofOneImage: (any PlannedConvolution)? {
    guard correlation.images > 1 else { return nil }
    var copy = self
    copy.correlation.takeOneImage()
    return copy
  }
  var scratchCount: Int { 0 }
  var packedCount: Int { packing.packedCount }
  var packTaskCount: Int { packing.taskCount }
  var packScratchCount: Int { 0 }

  func pack(
    tasks: Range<Int>, weights: UnsafePointer<Float>, packed: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    for task in tasks { packing.pack(task: task, weights: weights, packed: packed) }
  }

  func run(tasks: Range<Int>, _ operands: ConvolutionOperands, scratch: UnsafeMutablePointer<Float>) {
    for task in tasks { correlation.run(task: task, operands) }
  }

  func strided(inputPitch: Int?, outputPitch: Int?) -> Self {
    var copy = self
    if let inputPitch { copy.correlation.setInputPitch(inputPitch) }
    if let outputPitch { copy.correlation.setOutputPitch(outputPitch) }
    return copy
  }
}
