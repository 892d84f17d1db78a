import TesseraGraph
import TesseraKernels

/// Chooses the kernel of each convolution and matrix product in float32, and makes the packing of its weights a node of
/// its own. Everything else keeps its operation, which names its one kernel itself.
struct SelectKernels: GraphPass {
  let kernels: any KernelSet.Type
  let selection: AlgorithmSelection

  func run(_ graph: Graph) throws(TesseraError) -> Graph {
    try GraphRewriter.rewrite(graph) { (rewriter, node) throws(TesseraError) in
      let inputs = node.inputs.map { graph.type(of: $0) }
      let output = graph.type(of: node.outputs[0])
      guard output.element == .float32, let product = try product(node, inputs, output)
      else { return try rewriter.copy(node) }

      var operands = try rewriter.newInputs(of: node)
      operands[1] = try rewriter.graph.apply(
        PackOperand(plan: product.base.plan), operands[1], name: "\(node.name).pack")
      return try rewriter.graph.add(
        product.activation == .identity
          ? product.base : Fused(base: product.base, epilogue: Epilogue(activation: product.activation)),
        operands, name: node.name)
    }
  }

  private func product(_ node: Node, _ inputs: [TensorType], _ output: TensorType) throws(TesseraError)
    -> (base: PackedProduct, activation: ActivationFunction)?
  {
    let plan: any PlannedConvolution
    let activation: ActivationFunction
    var haloRows = 0
    switch node.operation {
    case let operation as Convolution2D:
      let geometry = operation.geometry(inputs)
      plan = try self.plan(.forward, geometry, at: node.name)
      haloRows = (geometry.r - 1) * geometry.dilationY
      activation = operation.activation
    case let operation as ConvolutionBackwardData:
      let geometry = operation.geometry(inputs, output)
      plan = try self.plan(.backwardData, geometry, at: node.name)
      haloRows = (geometry.r - 1) * geometry.dilationY / geometry.strideY
      activation = operation.activation
    case let operation as MatrixProduct:
      plan = kernels.matrixProductPlan(operation.geometry(inputs), caches: selection.caches)
      activation = operation.activation
    default: return nil
    }
    let base = PackedProduct(
      name: node.operation.name, plan: plan, flops: node.operation.flops(inputs), outputType: output,
      haloByteCount: haloRows * inputs[0].imageRowByteCount)
    return (base, activation)
  }

  private func plan(_ pass: ConvolutionPass, _ geometry: ConvolutionGeometry, at location: String)
    throws(TesseraError) -> any PlannedConvolution
  {
    kernels.plan(pass, geometry, try selection.settings(pass, geometry, kernels, at: location))
  }
}

extension TensorType {
  /// Bytes of one row of an NHWC image; 0 of anything else.
  fileprivate var imageRowByteCount: Int { shape.rank == 4 ? shape[2] * shape[3] * element.byteCount : 0 }
}
