/// Moves the gradient of a ReLU, or of clipping, behind the maximum pooling that reads it, where images are smaller: the
/// gradient that a window's maximum gets is kept or dropped by the maximum itself, which is the value that was activated.
/// What was pooled is then needed by no gradient, and isn't kept for one.
///
/// dx = pooling_gradient(dy, mask) where y > 0 becomes dx = pooling_gradient(dy where pooled > 0, mask): a sum of which all
/// terms are kept, or all are 0, so that no bit changes.
public struct ActivationGradientsBehindPooling: GraphPass {
  /// The pass has no settings.
  public init() {}

  public func run(_ graph: Graph) throws(TesseraError) -> Graph {
    let uses = graph.useCounts()
    return try GraphRewriter.rewrite(graph) { (rewriter, node) throws(TesseraError) in
      guard let unpooling = Unpooling(node, in: graph, uses) else { return try rewriter.copy(node) }
      let dy = try rewriter.newValue(of: unpooling.node.inputs[0])
      let pooled = try rewriter.newValue(of: unpooling.pooled)
      let gradient = try rewriter.graph.apply(node.operation, dy, pooled, name: node.name)
      // The node that this was copied to before is dead.
      let mask = try rewriter.newValue(of: unpooling.node.inputs[1])
      return try rewriter.graph.add(unpooling.node.operation, [gradient, mask], name: unpooling.node.name)
    }
  }
}

/// The gradient of a maximum pooling whose result goes through the gradient of an activation, and nowhere else.
private struct Unpooling {
  let node: Node
  /// What the pooling gave.
  let pooled: Value

  init?(_ gradient: Node, in graph: Graph, _ uses: [Value: Int]) {
    guard let operation = gradient.operation as? ActivationGradient, operation.function.keepsOrDrops,
      uses[gradient.inputs[0]] == 1, case .node(let index, _) = graph.source(of: gradient.inputs[0]),
      graph.nodes[index].operation is MaxPool2DBackward,
      case .node(let pooling, output: 1) = graph.source(of: graph.nodes[index].inputs[1]),
      graph.nodes[pooling].operation is MaxPool2DOperation, graph.nodes[pooling].inputs[0] == gradient.inputs[1]
    else { return nil }
    (node, pooled) = (graph.nodes[index], graph.nodes[pooling].outputs[0])
  }
}

extension ActivationFunction {
  /// Whether the derivative is 0 or 1.
  fileprivate var keepsOrDrops: Bool {
    switch kind {
    case .relu, .clip: true
    case .identity, .leakyRelu, .sigmoid, .tanh: false
    }
  }
}
