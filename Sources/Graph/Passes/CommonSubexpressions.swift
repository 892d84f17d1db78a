/// Computes once what several nodes would compute from the same operands, and has a concatenation that begins with the
/// operands of an earlier one read that one's result: of networks that join all that layers gave before, only what is new
/// is left to add.
///
/// Graphs that update variables stay as they are: their backward pass repeats nodes on purpose, to keep fewer values.
public struct EliminateCommonSubexpressions: GraphPass {
  /// The pass has no settings.
  public init() {}

  private struct Key: Hashable {
    let operation: AnyHashable
    let inputs: [Value]
  }

  public func run(_ graph: Graph) throws(TesseraError) -> Graph {
    guard graph.updates.isEmpty else { return graph }
    var results: [Key: [Value]] = [:]
    return try GraphRewriter.rewrite(graph) { (rewriter, node) throws(TesseraError) in
      let inputs = try rewriter.newInputs(of: node)
      guard let operation = node.operation as? any (Operation & Hashable) else { return try rewriter.copy(node) }
      let key = Key(operation: AnyHashable(operation), inputs: inputs)
      if let known = results[key] { return known }
      var shorter = inputs
      if node.operation is ConcatenateOperation {
        for count in stride(from: inputs.count - 1, to: 1, by: -1) {
          if let joined = results[Key(operation: key.operation, inputs: Array(inputs.prefix(count)))] {
            shorter = joined + inputs.dropFirst(count)
            break
          }
        }
      }
      let outputs = try rewriter.graph.add(node.operation, shorter, name: node.name)
      results[key] = outputs
      return outputs
    }
  }
}
