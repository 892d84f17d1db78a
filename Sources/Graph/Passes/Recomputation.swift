/// Has training compute cheap values again for the backward pass instead of keeping them (normalizations, activations,
/// sums, dropout, concatenations), where that lowers the peak of what is alive at once.
///
/// A batch normalization is done again as a normalization by the statistics it found, which is the same formula on the same
/// numbers; all others are repeated as they are. So every value keeps its bits.
///
/// What is alive is counted in the order of the nodes. One value after the other is tried, the largest that are alive at the
/// peak first, until none of them lowers it. The idea is that of Chen et al., "Training deep nets with sublinear memory
/// cost" (2016), for what costs no more than reading its operands.
public struct Recomputation: GraphPass {
  /// The pass has no settings.
  public init() {}

  public func run(_ graph: Graph) throws(TesseraError) -> Graph {
    guard !graph.updates.isEmpty else { return graph }
    let schedule = RecomputationSearch(graph).schedule()
    var events = schedule.events[...]
    // By the value computed first.
    var repeated: [Int: Value] = [:]
    return try GraphRewriter.rewrite(graph) { (rewriter, node) throws(TesseraError) in
      func inputs(of event: RecomputationSchedule.Event) throws(TesseraError) -> [Value] {
        var inputs: [Value] = []
        for operand in event.operands {
          if operand.isRepeated, let value = repeated[operand.value] {
            inputs.append(value)
          } else {
            inputs.append(try rewriter.newValue(of: Value(index: operand.value)))
          }
        }
        return inputs
      }
      // What comes before the node is for it, or for later ones.
      while let event = events.popFirst() {
        guard let recipe = event.recipe else {
          return try rewriter.graph.add(node.operation, inputs(of: event), name: node.name)
        }
        let name = "\(graph.name(of: Value(index: event.value))).again"
        repeated[event.value] = try rewriter.graph.add(recipe.operation, inputs(of: event), name: name).first
      }
      preconditionFailure("every node has an event")
    }
  }
}

/// How a value is computed again.
private struct Recipe {
  let operation: any Operation
  let inputs: [Int]

  /// Nil for what is kept: operations that cost more than reading their operands, and results other than the first.
  init?(_ node: Node) {
    switch node.operation {
    case let normalization as BatchNormalization:
      operation = Normalize(epsilon: normalization.epsilon)
      inputs = [node.inputs[0], node.outputs[1], node.outputs[2], node.inputs[1], node.inputs[2]].map(\.index)
    case is Normalize, is Activate, is Add, is Subtract, is Multiply, is Affine, is Convert, is DropoutOperation,
      is ConcatenateOperation:
      operation = node.operation
      inputs = node.inputs.map(\.index)
    default: return nil
    }
  }
}

/// The nodes in their order, with what is computed again before those that need it.
private struct RecomputationSchedule {
  struct Operand {
    let value: Int
    /// Whether it is the value as it was computed again.
    let isRepeated: Bool
  }

  /// A node, or a value that is computed again.
  struct Event {
    var operands: [Operand]
    /// Nil for a node.
    var recipe: Recipe?
    /// That is computed again; of a node -1.
    var value = -1
  }

  var events: [Event] = []
  /// The event of each node.
  var eventOfNode: [Int] = []
  var peakByteCount = 0
  /// The event at which most is alive.
  var peak = 0
  /// First and last event at which each value is alive, as it was computed first; last < first for one that never is.
  var lives: [(first: Int, last: Int)] = []
}

/// Searches for the values to compute again.
private struct RecomputationSearch {
  private let graph: Graph
  /// Of each value that may be computed again.
  private let recipes: [Recipe?]
  /// The value whose memory each value is.
  private let roots: [Int]
  private let byteCounts: [Int]
  /// The nodes that read each value itself.
  private let readers: [[Int]]
  /// The last node after which a value that is computed again is dropped; nil for those that are kept.
  private var lastNodes: [Int?]
  /// Whether a value is alive to the end.
  private let staysToTheEnd: [Bool]

  init(_ graph: Graph) {
    self.graph = graph
    let count = graph.valueCount
    var recipes = [Recipe?](repeating: nil, count: count)
    var roots = Array(0..<count)
    var readers = [[Int]](repeating: [], count: count)
    for (index, node) in graph.nodes.enumerated() {
      for input in node.inputs where readers[input.index].last != index { readers[input.index].append(index) }
      if let output = node.outputs.first { recipes[output.index] = Recipe(node) }
      if node.operation is ReshapeOperation { roots[node.outputs[0].index] = roots[node.inputs[0].index] }
    }
    var staysToTheEnd = [Bool](repeating: false, count: count)
    for value in graph.outputs.map(\.value) + graph.updates.map(\.value) + graph.finiteChecks {
      staysToTheEnd[roots[value.index]] = true
    }
    // What is seen under another shape, too, is kept.
    for index in 0..<count where roots[index] != index { recipes[roots[index]] = nil }
    self.recipes = recipes
    self.roots = roots
    self.readers = readers
    self.staysToTheEnd = staysToTheEnd
    byteCounts = (0..<count).map { graph.type(of: Value(index: $0)).byteCount }
    lastNodes = Array(repeating: nil, count: count)
  }

  func schedule() -> RecomputationSchedule {
    var search = self
    var best = search.evaluate()
    while let better = search.improve(best) { best = better }
    return best
  }

  /// Drops one value more between its uses on both sides of the peak; nil if none lowers it.
  private mutating func improve(_ best: RecomputationSchedule) -> RecomputationSchedule? {
    guard let lastNode = best.eventOfNode.lastIndex(where: { $0 <= best.peak }) else { return nil }
    let candidates = recipes.indices.filter { value in
      recipes[value] != nil && lastNodes[value] == nil && !staysToTheEnd[value]
        && byteCounts[value] > best.peakByteCount / 1000
        && best.lives[value].first < best.peak && best.peak < best.lives[value].last
        && !readers[value].contains { best.eventOfNode[$0] == best.peak }
    }
    for value in candidates.sorted(by: { (byteCounts[$1], $0) < (byteCounts[$0], $1) }) {
      lastNodes[value] = lastNode
      let schedule = evaluate()
      if schedule.peakByteCount < best.peakByteCount { return schedule }
      lastNodes[value] = nil
    }
    return nil
  }

  /// The last reader of each value's memory that reads what was computed first.
  private func lastReaders() -> [Int] {
    var last = [Int](repeating: -1, count: readers.count)
    for (value, nodes) in readers.enumerated() {
      let root = roots[value]
      for node in nodes where lastNodes[value].map({ node <= $0 }) ?? true { last[root] = max(last[root], node) }
      if staysToTheEnd[root] { last[root] = graph.nodes.count }
    }
    return last
  }

  private func evaluate() -> RecomputationSchedule {
    var schedule = RecomputationSchedule()
    schedule.eventOfNode.reserveCapacity(graph.nodes.count)
    schedule.lives = Array(repeating: (0, -1), count: readers.count)
    // Of what was computed again: first and last event.
    var again: [(first: Int, last: Int)] = Array(repeating: (0, -1), count: readers.count)
    let lastReaders = lastReaders()

    func use(_ operand: RecomputationSchedule.Operand) {
      let event = schedule.events.count
      if operand.isRepeated {
        again[operand.value].last = event
      } else {
        schedule.lives[roots[operand.value]].last = event
      }
    }

    /// What a node, or what is computed again for it, reads of a value.
    func operand(_ value: Int, for node: Int) -> RecomputationSchedule.Operand {
      let isDropped = lastNodes[value].map { node > $0 } ?? (lastReaders[roots[value]] < node)
      guard isDropped, let recipe = recipes[value] else {
        return RecomputationSchedule.Operand(value: value, isRepeated: false)
      }
      if again[value].last < 0 {
        let operands = recipe.inputs.map { operand($0, for: node) }
        operands.forEach(use)
        again[value] = (schedule.events.count, schedule.events.count)
        schedule.events.append(RecomputationSchedule.Event(operands: operands, recipe: recipe, value: value))
      }
      return RecomputationSchedule.Operand(value: value, isRepeated: true)
    }

    for (index, node) in graph.nodes.enumerated() {
      let operands = node.inputs.map { operand($0.index, for: index) }
      operands.forEach(use)
      schedule.eventOfNode.append(schedule.events.count)
      for output in node.outputs where roots[output.index] == output.index {
        schedule.lives[output.index] = (schedule.events.count, schedule.events.count)
      }
      schedule.events.append(RecomputationSchedule.Event(operands: operands))
    }
    for value in readers.indices where staysToTheEnd[value] { schedule.lives[value].last = schedule.events.count }

    var changes = [Int](repeating: 0, count: schedule.events.count + 2)
    for (value, life) in schedule.lives.enumerated() {
      guard case .node = graph.source(of: Value(index: value)), life.last >= life.first else { continue }
      changes[life.first] += byteCounts[value]
      changes[life.last + 1] -= byteCounts[value]
    }
    for (value, life) in again.enumerated() where life.last >= life.first {
      changes[life.first] += byteCounts[value]
      changes[life.last + 1] -= byteCounts[value]
    }
    var alive = 0
    for event in changes.indices {
      alive += changes[event]
      if alive > schedule.peakByteCount { (schedule.peakByteCount, schedule.peak) = (alive, event) }
    }
    return schedule
  }
}
