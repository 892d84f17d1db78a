/// Moves a normalization by parameters (inference, or frozen statistics) into the weights and the bias of the convolution
/// or product before it, if nothing else reads what stands between:
///
/// (x w + b - mean) / sqrt(variance + epsilon) scale + shift = x w' + b' with w' the weights normalized around 0 and b' the
/// bias normalized. Both follow from parameters alone, so that they are computed when these change and not in every run;
/// the parameters stay what they are.
public struct FoldNormalizations: GraphPass {
  /// The pass has no settings.
  public init() {}

  public func run(_ graph: Graph) throws(TesseraError) -> Graph {
    let uses = graph.useCounts()
    var folded: [Int: Node] = [:]
    for node in graph.nodes {
      if node.operation is Normalize, uses[node.inputs[0]] == 1,
        case .node(let index, _) = graph.source(of: node.inputs[0]),
        graph.nodes[index].operation.hasWeightsToScale,
        (graph.nodes[index].inputs.dropFirst() + node.inputs.dropFirst()).allSatisfy(graph.isParameter)
      {
        folded[index] = node
      }
    }
    return try GraphRewriter.rewrite(graph) { (rewriter, node) throws(TesseraError) in
      guard let output = node.outputs.first, case .node(let index, _) = graph.source(of: output) else {
        return try rewriter.copy(node)
      }
      // It comes in the place of the normalization.
      if folded[index] != nil { return nil }
      guard case .node(let producer, _) = node.inputs.first.map(graph.source(of:)), folded[producer] != nil else {
        return try rewriter.copy(node)
      }
      return try fold(node, into: graph.nodes[producer], &rewriter)
    }
  }

  private func fold(_ normalize: Node, into producer: Node, _ rewriter: inout GraphRewriter) throws(TesseraError)
    -> [Value]
  {
    var statistics: [Value] = []
    for value in normalize.inputs.dropFirst() { statistics.append(try rewriter.newValue(of: value)) }
    let (mean, variance, scale, shift) = (statistics[0], statistics[1], statistics[2], statistics[3])
    let type = rewriter.graph.type(of: mean)
    let zero = try rewriter.graph.addConstant(Array(repeating: 0, count: type.shape.count), type)
    var inputs = try rewriter.newInputs(of: producer)
    let bias = inputs.count == 3 ? inputs[2] : zero
    inputs = [
      inputs[0],
      try rewriter.graph.apply(
        normalize.operation, inputs[1], zero, variance, scale, zero, name: "\(producer.name).weight"),
      try rewriter.graph.apply(
        normalize.operation, bias, mean, variance, scale, shift, name: "\(producer.name).bias"),
    ]
    return try rewriter.graph.add(producer.operation, inputs, name: producer.name)
  }
}

extension Operation {
  /// Whether the last dimension of the weights is that of the result, and nothing follows the sum.
  fileprivate var hasWeightsToScale: Bool {
    switch self {
    case let operation as Convolution2D: operation.activation == .identity
    case let operation as MatrixProduct: operation.activation == .identity && !operation.transposeB
    default: false
    }
  }
}

extension Graph {
  /// How many readers a value has: nodes, outputs, updates and checks.
  package func useCounts() -> [Value: Int] {
    var uses: [Value: Int] = [:]
    for value in nodes.flatMap(\.inputs) + outputs.map(\.value) + updates.map(\.value) + finiteChecks {
      uses[value, default: 0] += 1
    }
    return uses
  }

  /// The nodes that read each value, and as which operand, by the value's index.
  package func readers() -> [[(node: Int, operand: Int)]] {
    var readers = [[(node: Int, operand: Int)]](repeating: [], count: valueCount)
    for (index, node) in nodes.enumerated() {
      for (operand, value) in node.inputs.enumerated() { readers[value.index].append((index, operand)) }
    }
    return readers
  }

  fileprivate func isParameter(_ value: Value) -> Bool {
    switch source(of: value) {
    case .variable, .constant: true
    case .input, .node: false
    }
  }
}
