import TesseraGraph

/// The operators of ONNX that become nodes of a graph, by name. Those that are evaluated while a model is read and
/// exist in no run are ``ConstantFolding/operators``.
enum Operators {
  typealias Handler = @Sendable (inout Importer, NodeReader) throws(TesseraError) -> [Imported]

  static let handlers: [String: Handler] = [
    elementwise, convolutions, pooling, normalizations, matrices, shapes, reductions, losses,
  ].reduce(into: [:]) { all, family in all.merge(family) { first, _ in first } }
}

extension Importer {
  /// A node that gives one value of a shape.
  mutating func apply(
    _ operation: any Operation, _ inputs: [Value], _ node: NodeReader, shape: [Int], order: [Int]? = nil
  ) throws(TesseraError) -> Imported {
    let outputs = try graph.add(operation, inputs, name: node.name)
    guard let output = outputs.first else {
      throw node.error(.shapeMismatch, "outputs", expected: "an operation with an output", found: "none")
    }
    return Imported(node.name, output, shape: shape, order: order)
  }
}
