/// Copies a graph node by node into a new one, while a pass decides what each node becomes. What is kept by name
/// (inputs, variables, outputs, updates, checks) stays as it is.
public struct GraphRewriter {
  /// The graph that grows.
  public var graph = Graph()
  /// The graph that is copied.
  public let source: Graph
  private var newValues: [Value?]

  private init(_ source: Graph) throws(TesseraError) {
    self.source = source
    newValues = Array(repeating: nil, count: source.valueCount)
    for input in source.inputs {
      newValues[input.value.index] = try graph.addInput(input.name, source.type(of: input.value))
    }
    for read in source.variables {
      newValues[read.value.index] = try graph.addVariable(read.variable)
    }
    for constant in source.constants {
      newValues[constant.value.index] = try graph.addConstant(
        constant.elements, source.type(of: constant.value))
    }
  }

  /// What a pass makes of a node: values in the new graph for each output, or nil to drop the node because nothing
  /// needs it.
  public typealias Rule = (inout GraphRewriter, Node) throws(TesseraError) -> [Value]?

  /// The graph in which `rule` has decided about every node.
  public static func rewrite(_ source: Graph, _ rule: Rule) throws(TesseraError) -> Graph {
    var rewriter = try GraphRewriter(source)
    for node in source.nodes {
      guard let outputs = try rule(&rewriter, node) else { continue }
      for (old, new) in zip(node.outputs, outputs) { rewriter.newValues[old.index] = new }
    }
    for output in source.outputs {
      try rewriter.graph.addOutput(output.name, rewriter.newValue(of: output.value))
    }
    for update in source.updates {
      try rewriter.graph.addUpdate(
        of: rewriter.newValue(of: source.variables[update.variable].value),
        to: rewriter.newValue(of: update.value))
    }
    for value in source.finiteChecks { try rewriter.graph.requireFinite(rewriter.newValue(of: value)) }
    rewriter.graph.checkInvariants()
    return rewriter.graph
  }

  /// What a value of the source has become.
  /// - Throws: ``TesseraError/Code/notFound`` if its node was dropped.
  public func newValue(of old: Value) throws(TesseraError) -> Value {
    guard let value = newValues[old.index] else {
      throw TesseraError(
        .notFound, at: source.name(of: old), expected: "a value that the pass has kept",
        found: "one that it dropped")
    }
    return value
  }

  /// The node's inputs in the new graph.
  public func newInputs(of node: Node) throws(TesseraError) -> [Value] {
    var inputs: [Value] = []
    for value in node.inputs { inputs.append(try newValue(of: value)) }
    return inputs
  }

  /// The node as it is.
  public mutating func copy(_ node: Node) throws(TesseraError) -> [Value] {
    try graph.add(node.operation, newInputs(of: node), name: node.name)
  }
}
