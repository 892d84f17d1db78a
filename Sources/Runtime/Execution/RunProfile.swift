/// Where the time of one run went.
public struct RunProfile: Sendable {
  /// One node of the compiled graph, or one of the runtime's own steps (copies, checks, the commit).
  public struct Entry: Sendable {
    /// The node's name, which begins with its layer's.
    public let node: String
    /// The kernel's name, in the grammar operation.pass.type.isa.tile.
    public let kernel: String
    /// From the end of the step before to the end of this one.
    public let seconds: Double
    /// Floating-point operations of the direct algorithm; 0 where they aren't counted.
    public let flops: Double
    /// Whether it is done again only after a parameter was written.
    public let isPreparation: Bool
  }

  /// In the order in which they ran.
  public let entries: [Entry]

  /// Seconds of the whole run.
  public var seconds: Double { entries.reduce(0) { $0 + $1.seconds } }

  init(_ plan: ExecutionPlan, finishedAt: [UInt64], startedAt: UInt64) {
    var entries: [Entry] = []
    var last = startedAt
    var lastNode: Int?
    for (index, step) in plan.steps.enumerated() {
      // A step that was skipped never finished in this run.
      let end = max(last, finishedAt[index])
      let seconds = Double(end - last) * 1e-9
      last = end
      let flops = step.node.map { plan.nodes[$0].flops } ?? 0
      if let node = step.node, node == lastNode, let previous = entries.popLast() {
        // Later phases of one node.
        entries.append(
          Entry(
            node: previous.node, kernel: previous.kernel, seconds: previous.seconds + seconds,
            flops: previous.flops, isPreparation: previous.isPreparation))
      } else {
        entries.append(
          Entry(
            node: step.name, kernel: step.kernelName, seconds: seconds, flops: flops,
            isPreparation: index < plan.prepareStepCount))
      }
      lastNode = step.node
    }
    self.entries = entries
  }
}
