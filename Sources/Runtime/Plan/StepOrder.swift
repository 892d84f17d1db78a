/// Which steps may begin only when which others are done: the partial order by which workers run them, and by which memory
/// is planned.
///
/// A step waits for its predecessors, and for all steps that come ``window`` or more places before it. So what a step has
/// to wait for is one word, and values don't live on because some step far behind hasn't run yet.
package struct StepOrder: Sendable {
  /// How many steps from the first unfinished one on may run: those that a worker knows of by one word.
  package static let window = 64

  /// What each step waits for directly: bit `window - d` stands for the step d places before it.
  package private(set) var predecessors: [UInt64]
  /// All steps within the window that are done when a step begins, likewise.
  private var ancestors: [UInt64]

  /// - Parameter predecessors: of each step, some of those before it in the plan.
  package init(predecessors: [Set<Int>]) {
    self.predecessors = Array(repeating: 0, count: predecessors.count)
    ancestors = self.predecessors
    for (step, direct) in predecessors.enumerated() {
      for other in direct { addEdge(from: other, to: step) }
    }
  }

  /// Whether a step is done before another begins, whoever runs what.
  package func precedes(_ step: Int, _ other: Int) -> Bool {
    let distance = other - step
    return distance >= Self.window || distance > 0 && ancestors[other] & Self.bit(distance) != 0
  }

  /// From now on a step waits for one that comes before it in the plan.
  package mutating func addEdge(from step: Int, to other: Int) {
    precondition(step < other, "steps wait for those before them")
    guard !precedes(step, other) else { return }
    let distance = other - step
    predecessors[other] |= Self.bit(distance)
    ancestors[other] |= Self.bit(distance) | ancestors[step] >> UInt64(distance)
    for later in other + 1..<min(other + Self.window, ancestors.count) where precedes(other, later) {
      ancestors[later] |= ancestors[other] >> UInt64(later - other)
    }
  }

  private static func bit(_ distance: Int) -> UInt64 { 1 << UInt64(window - distance) }
}

extension StepOrder {
  /// What is the same memory for two steps: a temporary value or workspace, or a place outside the arena.
  private enum Memory: Hashable {
    case temporary(Int)
    case place(Location)
  }

  /// A step that touches a memory, or in each row of what is there the bytes of a slot.
  private struct Access {
    let step: Int
    let isWrite: Bool
    let bytes: Range<Int>?

    func overlaps(_ other: Access) -> Bool {
      guard let bytes, let others = other.bytes else { return true }
      return bytes.overlaps(others)
    }

    func covers(_ other: Access) -> Bool {
      guard let bytes else { return true }
      return other.bytes.map { bytes.lowerBound <= $0.lowerBound && $0.upperBound <= bytes.upperBound } ?? false
    }
  }

  /// What follows from what steps read and write: a read comes after the write before it, a write after the reads and the
  /// write before it. What lies side by side in the rows of a value is apart. The runtime's own steps come after all
  /// before them, and what follows the begin of the commit after that.
  init(_ steps: [Step]) {
    var predecessors: [Set<Int>] = []
    var accesses: [Memory: [Access]] = [:]
    var commit: Int?
    for (index, step) in steps.enumerated() {
      var direct: Set<Int> = []
      switch step.work {
      case .kernel: break
      case .publishPrepared: direct.formUnion(0..<index)
      case .beginCommit:
        direct.formUnion(0..<index)
        commit = index
      }
      if let commit { direct.insert(commit) }
      // Each phase of a node begins when the one before is done.
      if index > 0, step.node != nil, steps[index - 1].node == step.node { direct.insert(index - 1) }
      for (number, operand) in step.operands.enumerated() {
        guard let memory = Self.memory(of: operand) else { continue }
        let access = Access(step: index, isWrite: number >= step.inputCount, bytes: operand.slot?.bytes)
        var others = accesses.removeValue(forKey: memory) ?? []
        for other in others where access.isWrite || other.isWrite {
          if access.overlaps(other) { direct.insert(other.step) }
        }
        if access.isWrite { others.removeAll(where: access.covers) }
        accesses[memory] = others + [access]
      }
      direct.remove(index)
      predecessors.append(direct)
    }
    self.init(predecessors: predecessors)
  }

  private static func memory(of operand: Operand) -> Memory? {
    if let number = operand.temporary { return .temporary(number) }
    if case .arena = operand.location { return nil }
    return .place(operand.location)
  }
}
