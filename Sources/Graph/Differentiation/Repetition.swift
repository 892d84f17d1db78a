/// What the nodes of checkpoints become for their gradients: they read results that were computed again, in the same order
/// by the same operations, so that every value keeps its bits. Repeated nodes that no gradient reads are dropped as dead.
struct Repetition {
  /// Lower bounds of the checkpoints that were computed again.
  private var done: Set<Int> = []
  /// By the value computed first.
  private var repeated: [Value: Value] = [:]

  /// A node as its gradient sees it; computes its checkpoint again, if it is in one and this is the first of its nodes.
  mutating func node(_ index: Int, in graph: inout Graph) throws(TesseraError) -> Node {
    let node = graph.nodes[index]
    guard let checkpoint = graph.checkpoints.first(where: { $0.contains(index) }) else { return node }
    if done.insert(checkpoint.lowerBound).inserted { try repeatNodes(checkpoint, in: &graph) }
    return Node(
      name: node.name, operation: node.operation, inputs: node.inputs.map(latest), outputs: node.outputs.map(latest))
  }

  private func latest(_ value: Value) -> Value { repeated[value] ?? value }

  private mutating func repeatNodes(_ checkpoint: Range<Int>, in graph: inout Graph) throws(TesseraError) {
    var kept = Set(graph.outputs.map(\.value) + graph.finiteChecks)
    for (index, node) in graph.nodes.enumerated() where !checkpoint.contains(index) { kept.formUnion(node.inputs) }
    for node in graph.nodes[checkpoint] {
      var results: [Value]
      let name = "\(node.name).again"
      if let normalization = node.operation as? BatchNormalization {
        // By the statistics that it found, which are small.
        let inputs = [latest(node.inputs[0]), node.outputs[1], node.outputs[2], node.inputs[1], node.inputs[2]]
        results = try graph.add(Normalize(epsilon: normalization.epsilon), inputs, name: name)
      } else {
        results = try graph.add(node.operation, node.inputs.map(latest), name: name)
      }
      for (old, new) in zip(node.outputs, results) where !kept.contains(old) { repeated[old] = new }
    }
  }
}
