/// A pure function of graphs that keeps what is computed.
public protocol GraphPass: Sendable {
  func run(_ graph: Graph) throws(TesseraError) -> Graph
}

/// The passes that every program goes through before kernels are selected.
public enum Simplification {
  /// In the order in which they run.
  public static let passes: [any GraphPass] = [
    EliminateDeadNodes(), ReplaceEmptyProducts(), FuseActivations(),
  ]

  /// The graph after all passes.
  public static func run(_ graph: Graph) throws(TesseraError) -> Graph {
    var graph = graph
    for pass in passes { graph = try pass.run(graph) }
    return graph
  }
}

/// Drops nodes that no output, update or check needs. Inputs and variables stay: they are the program's signature.
public struct EliminateDeadNodes: GraphPass {
  /// The pass has no settings.
  public init() {}

  public func run(_ graph: Graph) throws(TesseraError) -> Graph {
    var needed = Set(
      graph.outputs.map(\.value) + graph.updates.map(\.value) + graph.finiteChecks)
    for node in graph.nodes.reversed() where node.outputs.contains(where: needed.contains) {
      needed.formUnion(node.inputs)
    }
    return try GraphRewriter.rewrite(graph) { (rewriter, node) throws(TesseraError) in
      guard node.outputs.contains(where: needed.contains) else { return nil }
      return try rewriter.copy(node)
    }
  }
}

/// Moves an activation into the convolution or product before it, if nothing else reads what stands between. The
/// gradient needs the activation's output only, so training graphs fuse alike.
public struct FuseActivations: GraphPass {
  /// The pass has no settings.
  public init() {}

  public func run(_ graph: Graph) throws(TesseraError) -> Graph {
    var uses: [Value: Int] = [:]
    for value in graph.nodes.flatMap(\.inputs) + graph.outputs.map(\.value)
      + graph.updates.map(\.value) + graph.finiteChecks
    {
      uses[value, default: 0] += 1
    }
    // The activation that each fusable value feeds.
    var activations: [Value: ActivationFunction] = [:]
    for node in graph.nodes {
      if let activate = node.operation as? Activate, uses[node.inputs[0]] == 1,
        case .node(let producer, _) = graph.source(of: node.inputs[0]),
        graph.nodes[producer].operation is any ActivationFusing
      {
        activations[node.inputs[0]] = activate.function
      }
    }
    return try GraphRewriter.rewrite(graph) { (rewriter, node) throws(TesseraError) in
      if let output = node.outputs.first, let function = activations[output],
        let fused = (node.operation as? any ActivationFusing)?.fusing(function)
      {
        return try rewriter.graph.add(fused, rewriter.newInputs(of: node), name: node.name)
      }
      // The producer has already applied it, unless it had an activation of its own.
      if node.operation is Activate, activations[node.inputs[0]] != nil,
        case .node(let producer, _) = graph.source(of: node.inputs[0]),
        let fusing = graph.nodes[producer].operation as? any ActivationFusing,
        fusing.activation == .identity
      {
        return try rewriter.newInputs(of: node)
      }
      return try rewriter.copy(node)
    }
  }
}

/// An operation that can apply an activation to its result on the way to memory.
protocol ActivationFusing: Operation {
  var activation: ActivationFunction { get }
  func withActivation(_ function: ActivationFunction) -> Self
}

extension ActivationFusing {
  /// The operation with the activation in it; nil if it has one already.
  func fusing(_ function: ActivationFunction) -> Self? {
    activation == .identity ? withActivation(function) : nil
  }
}

extension Convolution2D: ActivationFusing {
  func withActivation(_ function: ActivationFunction) -> Convolution2D {
    Convolution2D(window: window, groups: groups, activation: function)
  }
}

extension ConvolutionBackwardData: ActivationFusing {
  func withActivation(_ function: ActivationFunction) -> ConvolutionBackwardData {
    ConvolutionBackwardData(
      window: window, groups: groups, inputHeight: inputHeight, inputWidth: inputWidth,
      activation: function)
  }
}

extension MatrixProduct: ActivationFusing {
  func withActivation(_ function: ActivationFunction) -> MatrixProduct {
    MatrixProduct(transposeA: transposeA, transposeB: transposeB, activation: function)
  }
}
