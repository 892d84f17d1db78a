import TesseraGraph

/// Moves additions, activations, gradients of activations and 2 x 2 maxima into the kernel before them, which then does them
/// on the way to memory (``Epilogue``), if nothing else reads what stands between.
///
/// The gradient of an activation needs its value only, so training graphs fuse alike: the sum of the gradients of a value
/// with several uses, and the gradient of the activation that made it, go into whichever kernel gives the last of them.
/// Maxima are taken in where nobody asks which elements they were, as in inference.
struct FuseEpilogues: GraphPass {
  func run(_ graph: Graph) throws(TesseraError) -> Graph {
    let plan = FusionPlan(graph)
    return try GraphRewriter.rewrite(graph) { (rewriter, node) throws(TesseraError) in
      guard let output = node.outputs.first, case .node(let index, _) = graph.source(of: output),
        let fusion = plan.fusion(of: index)
      else { return try rewriter.copy(node) }
      let producer = graph.nodes[fusion.producer]
      if index != fusion.place {
        return index < fusion.place ? nil : [try rewriter.newValue(of: producer.outputs[0])]
      }
      var operands = try rewriter.newInputs(of: producer)
      for operand in fusion.operands { operands.append(try rewriter.newValue(of: operand)) }
      return try rewriter.graph.add(
        Fused(base: fusion.base, epilogue: fusion.epilogue), operands, name: producer.name)
    }
  }
}

/// A kernel, and the nodes that it takes in.
private struct Fusion {
  let base: any EpilogueKernel
  /// The kernel's node.
  let producer: Int
  /// Those taken in, in the order of the graph.
  var nodes: [Int] = []
  var epilogue = Epilogue()
  /// The epilogue's operands.
  var operands: [Value] = []
  /// Where in the graph the kernel stands: where its node was, or in place of the last node where an operand only follows
  /// later.
  var place: Int
}

/// Which nodes become one.
private struct FusionPlan {
  private let graph: Graph
  private let uses: [Value: Int]
  /// What may still take in the node that reads a value.
  private var fusions: [Value: Fusion] = [:]
  private var fusionOfNode: [Int: Fusion] = [:]

  init(_ graph: Graph) {
    self.graph = graph
    uses = graph.useCounts()
    for (index, node) in graph.nodes.enumerated() {
      guard let output = node.outputs.first, graph.type(of: output).element == .float32 else { continue }
      if let (input, fusion) = fusion(takingIn: node, index) {
        fusions[input] = nil
        fusions[output] = fusion
      } else if let base = node.operation as? any EpilogueKernel, base.takesEpilogue {
        fusions[output] = Fusion(base: base, producer: index, place: index)
      } else if let fused = node.operation as? Fused {
        // Of an operation that has its activation from the start.
        fusions[output] = Fusion(base: fused.base, producer: index, epilogue: fused.epilogue, place: index)
      }
    }
    for fusion in fusions.values where !fusion.nodes.isEmpty {
      for node in [fusion.producer] + fusion.nodes { fusionOfNode[node] = fusion }
    }
  }

  func fusion(of node: Int) -> Fusion? { fusionOfNode[node] }

  /// The fusion of the node with what gives one of its operands.
  private func fusion(takingIn node: Node, _ index: Int) -> (input: Value, fusion: Fusion)? {
    switch node.operation {
    case is Add:
      // The later of two: it comes first into question that the other is there before it.
      let order = node.inputs.sorted { position($0) > position($1) }
      for (sum, addend) in [(order[0], order[1]), (order[1], order[0])] {
        guard var fusion = openFusion(of: sum), !fusion.epilogue.hasAddend else { continue }
        fusion.epilogue.hasAddend = true
        if fusion.take(index, operand: addend, at: position(addend), graph) { return (sum, fusion) }
      }
      return nil
    case let operation as Activate:
      guard var fusion = openFusion(of: node.inputs[0]) else { return nil }
      fusion.epilogue.activation = operation.function
      fusion.take(index)
      return (node.inputs[0], fusion)
    case let operation as ActivationGradient where operation.function != .identity:
      guard var fusion = openFusion(of: node.inputs[0]) else { return nil }
      fusion.epilogue.activation = operation.function
      fusion.epilogue.isGradient = true
      let y = node.inputs[1]
      return fusion.take(index, operand: y, at: position(y), graph) ? (node.inputs[0], fusion) : nil
    case let operation as MaxPool2DOperation where operation.window == ResolvedWindow2D(kernel: 2, stride: 2):
      let input = node.inputs[0]
      guard uses[input] == 1, uses[node.outputs[1]] == nil, var fusion = fusions[input], fusion.base.takesPooling,
        fusion.epilogue.operandCount == 0, !fusion.epilogue.poolsMaximum
      else { return nil }
      fusion.epilogue.poolsMaximum = true
      fusion.take(index)
      return (input, fusion)
    default: return nil
    }
  }

  /// What gives a value that only one node reads, if more can be done to it.
  private func openFusion(of value: Value) -> Fusion? {
    guard uses[value] == 1, let fusion = fusions[value], fusion.epilogue.activation == .identity,
      !fusion.epilogue.poolsMaximum
    else { return nil }
    return fusion
  }

  /// The node that gives a value; -1 for what is there from the start.
  private func position(_ value: Value) -> Int {
    if case .node(let index, _) = graph.source(of: value) { index } else { -1 }
  }
}

extension Fusion {
  /// Takes in a node that reads nothing else.
  fileprivate mutating func take(_ node: Int) {
    nodes.append(node)
    if place != producer { place = node }
  }

  /// Takes in a node that reads an operand given at a position.
  /// - Returns: whether it can: a kernel of several results stays where these are read from.
  fileprivate mutating func take(_ node: Int, operand: Value, at position: Int, _ graph: Graph) -> Bool {
    if position >= producer {
      if graph.nodes[producer].outputs.count > 1 { return false }
      place = node
    }
    operands.append(operand)
    take(node)
    return true
  }
}
