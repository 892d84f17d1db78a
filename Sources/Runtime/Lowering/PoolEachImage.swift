import TesseraGraph
import TesseraKernels

/// Makes a convolution and the pooling that alone reads it one node, which computes an image at a time: the convolution's
/// output stays in level 2, and is neither written to memory nor read again. In training, too, where the places of the maxima
/// are kept.
///
/// Winograd's kernel takes 2 x 2 maxima in by itself (``FuseEpilogues``). This is for the direct sum, whose tiles end where
/// the image does and not where windows do.
struct PoolEachImage: GraphPass {
  let caches: CacheSizes

  func run(_ graph: Graph) throws(TesseraError) -> Graph {
    let uses = graph.useCounts()
    var pooled: [Int: (producer: Node, operation: PooledProduct)] = [:]
    var merged: Set<Int> = []
    for (index, node) in graph.nodes.enumerated() {
      guard let pooling = ImagePooling(node.operation), case .node(let producer, _) = graph.source(of: node.inputs[0]),
        uses[node.inputs[0]] == 1,
        let operation = product(
          graph.nodes[producer], pooling, keepsMask: node.outputs.dropFirst().contains { uses[$0] != nil })
      else { continue }
      pooled[index] = (graph.nodes[producer], operation)
      merged.insert(producer)
    }
    return try GraphRewriter.rewrite(graph) { (rewriter, node) throws(TesseraError) in
      guard let output = node.outputs.first, case .node(let index, _) = graph.source(of: output) else {
        return try rewriter.copy(node)
      }
      if merged.contains(index) { return nil }
      guard let (producer, operation) = pooled[index] else { return try rewriter.copy(node) }
      return try rewriter.graph.add(operation, rewriter.newInputs(of: producer), name: producer.name)
    }
  }

  /// Nil where it doesn't pay, or can't be done.
  private func product(_ node: Node, _ pooling: ImagePooling, keepsMask: Bool) -> PooledProduct? {
    let fused = node.operation as? Fused
    let epilogue = fused?.epilogue ?? Epilogue()
    guard let product = (fused?.base ?? node.operation) as? PackedProduct, epilogue.operandCount == 0,
      !epilogue.poolsMaximum, let plan = product.plan.ofOneImage
    else { return nil }
    let operation = PooledProduct(
      product: product, plan: plan, activation: epilogue.activation, pooling: pooling, keepsMask: keepsMask)
    return EachImage.pays(
      images: product.outputType.shape[0], byteCount: operation.image.byteCount, steps: plan.multiplyAddSteps,
      caches) ? operation : nil
  }
}

/// When a task does all that follows of one image.
enum EachImage {
  /// With fewer images there would be too few tasks.
  private static let leastImages = 16
  /// Of an image: some 70 us.
  private static let mostSteps = 250_000.0

  /// - Parameters:
  ///   - byteCount: of what stays in level 2 from one kernel to the next.
  ///   - steps: multiply-adds of a vector.
  static func pays(images: Int, byteCount: Int, steps: Double, _ caches: CacheSizes) -> Bool {
    images >= leastImages && byteCount <= caches.level2Bytes / 2 && steps <= mostSteps
  }
}

/// What may follow a convolution image by image.
private enum ImagePooling {
  case maximum(MaxPool2DOperation)
  case average(AveragePool2DOperation)

  init?(_ operation: any Operation) {
    switch operation {
    case let maximum as MaxPool2DOperation: self = .maximum(maximum)
    case let average as AveragePool2DOperation: self = .average(average)
    default: return nil
    }
  }

  var operation: any Operation {
    switch self {
    case .maximum(let operation): operation
    case .average(let operation): operation
    }
  }

  var window: ResolvedWindow2D {
    switch self {
    case .maximum(let operation): operation.window
    case .average(let operation): operation.window
    }
  }
}

/// A convolution, its activation and the pooling of its output.
private struct PooledProduct: StridedKernel {
  let product: PackedProduct
  /// Of one image.
  let plan: any PlannedConvolution
  let activation: ActivationFunction
  let pooling: ImagePooling
  /// Whether the places of maxima are a second result.
  let keepsMask: Bool

  /// The convolution's output for one image.
  var image: TensorType { TensorType(Shape([1] + product.outputType.shape.dimensions.dropFirst())) }

  var name: String {
    "\(product.name)\(activation == .identity ? "" : "+\(activation)")+\(pooling.operation.name)"
  }

  func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    let types = try pooling.operation.outputTypes(product.outputTypes(inputs, at: location), at: location)
    return keepsMask ? types : [types[0]]
  }

  func flops(_ inputs: [TensorType]) -> Double { product.flops }

  func readsStrided(_ operand: Int) -> Bool { product.readsStrided(operand) }

  var writesStrided: Bool { false }

  func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    var plan = plan
    if let strided = plan as? any StridedConvolution {
      plan = strided.strided(inputPitch: context.inputPitches[0], outputPitch: nil)
    }
    let convolution = plan
    let x = context.inputs[0].shape
    let inputCount = x[1] * x[2] * context.pitch(ofInput: 0)
    let y = Shape([1] + context.outputs[0].shape.dimensions.dropFirst())
    let geometry = PoolingGeometry(x: image.shape, xPitch: image.shape[3], y: y, window: pooling.window)
    let hasBias = context.inputs.count > 2
    let (activation, pooling, keepsMask, kernels) = (Activation(activation), pooling, keepsMask, context.kernels)
    // A worker's scratch: the image, places that nobody asks for, what the convolution needs.
    let imageCount = image.shape.count
    let maskCount = keepsMask ? 0 : y.count
    var kernel = NodeKernel(
      name: plan.name, taskCount: x[0],
      scratchByteCount: (imageCount + maskCount + plan.scratchCount) * MemoryLayout<Float>.stride
    ) { tasks, arguments in
      let unpooled = arguments.scratchFloats
      for image in tasks {
        convolution.run(
          tasks: 0..<convolution.taskCount,
          ConvolutionOperands(
            input: arguments.x(0) + image * inputCount, packed: arguments.x(1),
            bias: hasBias ? arguments.x(2) : nil, activation: activation, output: unpooled),
          scratch: unpooled + (imageCount + maskCount))
        let output = arguments.y(0) + image * y.count
        switch pooling {
        case .maximum:
          let mask =
            keepsMask
            ? arguments.y(1, Int32.self) + image * y.count
            : UnsafeMutableRawPointer(unpooled + imageCount).assumingMemoryBound(to: Int32.self)
          kernels.maxPool(geometry, rows: 0..<geometry.p, x: unpooled, y: output, mask: mask, streams: false)
        case .average(let operation):
          kernels.averagePool(
            geometry, countPadding: operation.countsPadding, rows: 0..<geometry.p, x: unpooled, y: output,
            streams: false)
        }
      }
    }
    kernel.phases[0].shape.multiplyAddSteps = product.plan.multiplyAddSteps
    kernel.phases[0].shape.weightOperand = 1
    return kernel
  }
}
