public import TesseraKernelContract

extension Kernels {
  public static func forwardPlan(_ geometry: ConvolutionGeometry, caches: CacheSizes)
    -> ConvolutionPlan
  {
    let correlation = Correlation(forward: geometry)
    return plan(
      "conv2d.forward", correlation,
      WeightLayout(
        groupStride: geometry.filtersPerGroup, tapStride: geometry.channelsPerGroup * geometry.k,
        depthStride: geometry.k, filterStride: 1),
      caches: caches)
  }

  public static func backwardDataPlan(_ geometry: ConvolutionGeometry, caches: CacheSizes)
    -> ConvolutionPlan
  {
    let correlation = Correlation(backwardData: geometry)
    return plan(
      "conv2d.backward-data", correlation,
      WeightLayout(
        rotated: true, groupStride: geometry.filtersPerGroup,
        tapStride: geometry.channelsPerGroup * geometry.k, depthStride: 1,
        filterStride: correlation.kind == .channelwise ? 1 : geometry.k),
      caches: caches)
  }

  /// Blocks the correlation and counts its tasks and buffers.
  static func plan(
    _ operation: String, _ correlation: Correlation, _ layout: WeightLayout, caches: CacheSizes
  ) -> ConvolutionPlan {
    var correlation = correlation
    correlation.chooseBlocking(caches: caches)
    let details = CorrelationDetails(correlation: correlation, layout: layout)
    let type = correlation.kind == .channelwise ? "channelwise.f32" : "f32"
    return ConvolutionPlan(
      name:
        "\(operation).\(type).\(instructionSet.name).\(correlation.maximumRows)x\(correlation.vectors)",
      taskCount: correlation.taskCount, scratchCount: 0, packedCount: details.packedCount,
      packTaskCount: details.packTaskCount, details: details)
  }

  static func details(of plan: ConvolutionPlan) -> CorrelationDetails {
    guard let details = plan.details as? CorrelationDetails else {
      preconditionFailure("plan \(plan.name) was made for another instruction set")
    }
    return details
  }

  public static func packWeights(
    _ plan: ConvolutionPlan, tasks: Range<Int>, weights: UnsafePointer<Float>,
    packed: UnsafeMutablePointer<Float>
  ) {
    let details = details(of: plan)
    for task in tasks { details.pack(task: task, weights: weights, packed: packed) }
  }

  public static func convolve(
    _ plan: ConvolutionPlan, tasks: Range<Int>, input: UnsafePointer<Float>,
    packed: UnsafePointer<Float>, bias: UnsafePointer<Float>?, activation: Activation,
    output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    let correlation = details(of: plan).correlation
    let operands = CorrelationOperands(
      input: input, packed: packed, bias: bias, output: output, activation: activation)
    for task in tasks { correlation.run(task: task, operands) }
  }

  public static func weightGradientPlan(_ geometry: ConvolutionGeometry, caches: CacheSizes)
    -> WeightGradientPlan
  {
    let gradient = WeightGradient(geometry, caches: caches)
    let rows = TileList.maximumRows(vectors: gradient.vectors)
    let tile =
      gradient.isChannelwise
      ? "channelwise.f32.\(instructionSet.name).1x\(gradient.vectors)"
      : "f32.\(instructionSet.name).\(rows)x\(gradient.vectors)"
    return WeightGradientPlan(
      name: "conv2d.backward-weights.\(tile)", taskCount: gradient.taskCount,
      scratchCount: gradient.scratchCount, partialsCount: gradient.chunks * geometry.weightCount,
      reduceTaskCount: gradient.reduceTaskCount, details: gradient)
  }

  static func details(of plan: WeightGradientPlan) -> WeightGradient {
    guard let details = plan.details as? WeightGradient else {
      preconditionFailure("plan \(plan.name) was made for another instruction set")
    }
    return details
  }

  public static func accumulateWeightGradient(
    _ plan: WeightGradientPlan, tasks: Range<Int>, x: UnsafePointer<Float>,
    dy: UnsafePointer<Float>, partials: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let gradient = details(of: plan)
    for task in tasks {
      gradient.run(task: task, x: x, dy: dy, partials: partials, scratch: scratch)
    }
  }

  public static func reduceWeightGradient(
    _ plan: WeightGradientPlan, tasks: Range<Int>, partials: UnsafePointer<Float>,
    dw: UnsafeMutablePointer<Float>
  ) {
    let gradient = details(of: plan)
    for task in tasks { gradient.reduce(task: task, partials: partials, dw: dw) }
  }
}
