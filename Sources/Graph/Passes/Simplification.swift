/// A pure function of graphs that keeps what is computed.
public protocol GraphPass: Sendable {
  func run(_ graph: Graph) throws(TesseraError) -> Graph
}

/// The passes that every program goes through before kernels are selected.
public enum Simplification {
  /// In the order in which they run.
  public static let passes: [any GraphPass] = [
    ActivationGradientsBehindPooling(), EliminateDeadNodes(), EliminateCommonSubexpressions(), ReplaceEmptyProducts(),
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
