/// Replaces matrix products in which a size is 0, which no blocked kernel has to know then: a sum over no terms is f(bias)
/// in every row, and a product without elements is nothing at all.
///
/// Runs after differentiation, so gradients are those of the product.
public struct ReplaceEmptyProducts: GraphPass {
  /// The pass has no settings.
  public init() {}

  public func run(_ graph: Graph) throws(TesseraError) -> Graph {
    try GraphRewriter.rewrite(graph) { (rewriter, node) throws(TesseraError) in
      guard let product = node.operation as? MatrixProduct else { return try rewriter.copy(node) }
      let a = graph.shape(of: node.inputs[0])
      let type = graph.type(of: node.outputs[0])
      guard type.shape.count == 0 || a.count == 0 else { return try rewriter.copy(node) }

      let inputs = try rewriter.newInputs(of: node)
      func constant(_ value: Double, _ shape: Shape) throws(TesseraError) -> Value {
        let scalar = try rewriter.graph.addConstant([value], TensorType(.scalar, type.element))
        return try rewriter.graph.apply(Broadcast(shape: shape), scalar, name: "\(node.name).constant")
      }
      if inputs.count == 3, type.shape.count > 0 {
        // The bias in every row: a column of ones times the bias as a row.
        let row = try rewriter.graph.apply(
          ReshapeOperation(shape: [1, type.shape[1]]), inputs[2], name: "\(node.name).row")
        let ones = try constant(1, [type.shape[0], 1])
        return try rewriter.graph.add(
          MatrixProduct(activation: product.activation), [ones, row], name: node.name)
      }
      let zeros = try constant(0, type.shape)
      guard product.activation != .identity else { return [zeros] }
      return try rewriter.graph.add(Activate(function: product.activation), [zeros], name: node.name)
    }
  }
}
