import TesseraGraph
import TesseraKernels

/// Makes the gradient of a maximum pooling and the gradients of the weights and the bias of the convolution before it, which
/// alone read it, one node, which computes an image at a time: what is mostly zeros stays in level 2. So it is in a network's
/// first layer, whose input has no gradient.
struct UnpoolEachImage: GraphPass {
  let kernels: any KernelSet.Type
  let selection: AlgorithmSelection

  func run(_ graph: Graph) throws(TesseraError) -> Graph {
    let (readers, uses) = (graph.readers(), graph.useCounts())
    /// By the number of the pooling's gradient, with the node of the weights'.
    var operations: [Int: (weights: Node, operation: UnpooledWeightGradient)] = [:]
    /// What each reader becomes: a result of which of these.
    var results: [Int: (unpooling: Int, result: Int)] = [:]
    for (index, node) in graph.nodes.enumerated() {
      guard let unpooling = node.operation as? MaxPool2DBackward else { continue }
      let readers = readers[node.outputs[0].index]
      guard uses[node.outputs[0]] == readers.count, readers.count <= 2,
        let (weights, _) = readers.first(where: {
          $0.operand == 1 && graph.nodes[$0.node].operation is ConvolutionBackwardWeights
        }),
        readers.allSatisfy({ $0.node == weights || graph.nodes[$0.node].operation is ChannelSum }),
        isThere(graph.nodes[weights].inputs[0], before: index, graph),
        let operation = try operation(unpooling, graph.nodes[weights], graph, hasBias: readers.count == 2)
      else { continue }
      operations[index] = (graph.nodes[weights], operation)
      for reader in readers { results[reader.node] = (index, reader.node == weights ? 0 : 1) }
    }
    var merged: [Int: [Value]] = [:]
    return try GraphRewriter.rewrite(graph) { (rewriter, node) throws(TesseraError) in
      guard let output = node.outputs.first, case .node(let index, _) = graph.source(of: output) else {
        return try rewriter.copy(node)
      }
      if let (unpooling, result) = results[index], let values = merged[unpooling] { return [values[result]] }
      guard let (weights, operation) = operations[index] else { return try rewriter.copy(node) }
      let x = try rewriter.newValue(of: weights.inputs[0])
      merged[index] = try rewriter.graph.add(operation, [x] + rewriter.newInputs(of: node), name: weights.name)
      return nil
    }
  }

  private func isThere(_ value: Value, before index: Int, _ graph: Graph) -> Bool {
    if case .node(let source, _) = graph.source(of: value) { source < index } else { true }
  }

  /// Nil where it doesn't pay.
  private func operation(
    _ unpooling: MaxPool2DBackward, _ reader: Node, _ graph: Graph, hasBias: Bool
  ) throws(TesseraError) -> UnpooledWeightGradient? {
    guard let weights = reader.operation as? ConvolutionBackwardWeights,
      graph.type(of: reader.outputs[0]).element == .float32
    else { return nil }
    var geometry = weights.geometry(reader.inputs.map { graph.type(of: $0) }, graph.type(of: reader.outputs[0]))
    let settings = try selection.settings(.backwardWeights, geometry, kernels, at: reader.name)
    let images = geometry.n
    geometry.n = 1
    let plan = kernels.weightGradientPlan(geometry, settings)
    let operation = UnpooledWeightGradient(
      unpooling: unpooling, weights: weights, plan: plan, geometry: geometry, images: images, hasBias: hasBias)
    return operation.partialsAreFew
      && EachImage.pays(
        images: images, byteCount: operation.unpooledCount * MemoryLayout<Float>.stride + plan.partialsByteCount,
        steps: plan.multiplyAddSteps, selection.caches)
      ? operation : nil
  }
}

extension PlannedWeightGradient {
  fileprivate var partialsByteCount: Int { partialsCount * MemoryLayout<Float>.stride }
}

/// Gradients of a convolution's weights and bias from the gradient of what was pooled: x, deltas and places of the maxima to
/// dw and db.
private struct UnpooledWeightGradient: KernelOperation {
  let unpooling: MaxPool2DBackward
  let weights: ConvolutionBackwardWeights
  /// Of one image, like the geometry.
  let plan: any PlannedWeightGradient
  let geometry: ConvolutionGeometry
  let images: Int
  let hasBias: Bool

  /// The gradient of the convolution's output for one image.
  var unpooledCount: Int { geometry.p * geometry.q * geometry.k }

  /// The sum over all images is one task, and takes at most 32 MiB.
  var partialsAreFew: Bool {
    let count = geometry.weightCount + geometry.k
    return count <= 4096 && images <= (32 << 20) / MemoryLayout<Float>.stride / count
  }

  var name: String { "\(unpooling.name)+\(weights.name)" }

  func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 3...3, at: location)
    let dy = try unpooling.outputTypes(Array(inputs.dropFirst()), at: location)[0]
    let dw = try weights.outputTypes([inputs[0], dy], at: location)
    return hasBias ? dw + [TensorType([geometry.k])] : dw
  }

  func flops(_ inputs: [TensorType]) -> Double {
    2 * Double(images * unpooledCount) * Double(geometry.weightCount / max(1, geometry.k))
  }

  func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let (plan, kernels, images, hasBias) = (plan, context.kernels, images, hasBias)
    let pooled = Shape([1] + context.inputs[1].shape.dimensions.dropFirst())
    let (p, q, k, weightCount) = (geometry.p, geometry.q, geometry.k, geometry.weightCount)
    let pooling = PoolingGeometry(x: [1, p, q, k], xPitch: k, y: pooled, window: unpooling.window)
    let inputCount = geometry.h * geometry.w * geometry.c
    let unpooledCount = unpooledCount
    var kernel = NodeKernel(
      name: plan.name, workspaceByteCount: images * (weightCount + k) * MemoryLayout<Float>.stride,
      scratchByteCount: (unpooledCount + plan.partialsCount + plan.scratchCount) * MemoryLayout<Float>.stride,
      phases: [
        NodeKernel.Phase(taskCount: images) { tasks, arguments in
          let dy = arguments.scratchFloats
          let partials = dy + unpooledCount
          for image in tasks {
            kernels.maxPoolBackward(
              pooling, rows: 0..<p, dy: arguments.x(1) + image * pooled.count,
              mask: arguments.x(2, Int32.self) + image * pooled.count, dx: dy, streams: false)
            plan.accumulate(
              tasks: 0..<plan.taskCount, x: arguments.x(0) + image * inputCount, dy: dy, partials: partials,
              scratch: partials + plan.partialsCount)
            plan.reduce(
              tasks: 0..<plan.reduceTaskCount, partials: partials,
              dw: arguments.workspaceFloats + image * weightCount)
            if hasBias {
              kernels.channelSums(
                rows: p * q, channels: k, x: dy, sums: arguments.workspaceFloats + (images * weightCount + image * k))
            }
          }
        },
        NodeKernel.Phase(taskCount: 1) { _, arguments in
          kernels.addPartials(
            chunks: images, count: weightCount, partials: arguments.workspaceFloats, result: arguments.y(0))
          if hasBias {
            kernels.addPartials(
              chunks: images, count: k, partials: arguments.workspaceFloats + images * weightCount,
              result: arguments.y(1))
          }
        },
      ])
    kernel.phases[0].shape.multiplyAddSteps = plan.multiplyAddSteps * Double(images)
    return kernel
  }
}
