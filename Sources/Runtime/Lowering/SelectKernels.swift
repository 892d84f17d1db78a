import TesseraGraph
import TesseraKernels

/// Chooses the kernel of each convolution and matrix product in float32, and makes the packing of its weights a node of
/// its own. Everything else keeps its operation, which names its one kernel itself.
struct SelectKernels: GraphPass {
  let kernels: any KernelSet.Type
  let caches: CacheSizes

  func run(_ graph: Graph) throws(TesseraError) -> Graph {
    try GraphRewriter.rewrite(graph) { (rewriter, node) throws(TesseraError) in
      let inputs = node.inputs.map { graph.type(of: $0) }
      let output = graph.type(of: node.outputs[0])
      guard output.element == .float32,
        let (problem, activation) = problem(node.operation, inputs, output)
      else { return try rewriter.copy(node) }

      var operands = try rewriter.newInputs(of: node)
      let pack = PackOperand(
        problem: problem, packedCount: problem.plan(kernels, caches).packedCount)
      operands[1] = try rewriter.graph.apply(pack, operands[1], name: "\(node.name).pack")
      let product = PackedProduct(
        problem: problem, activation: activation, outputType: output)
      return try rewriter.graph.add(product, operands, name: node.name)
    }
  }

  private func problem(_ operation: any Operation, _ inputs: [TensorType], _ output: TensorType)
    -> (PackedProduct.Problem, ActivationFunction)?
  {
    switch operation {
    case let operation as Convolution2D:
      (.forward(operation.geometry(inputs)), operation.activation)
    case let operation as ConvolutionBackwardData:
      (.backwardData(operation.geometry(inputs, output)), operation.activation)
    case let operation as MatrixProduct:
      (.matrix(operation.geometry(inputs)), operation.activation)
    default: nil
    }
  }
}
