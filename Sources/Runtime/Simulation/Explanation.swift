public import TesseraGraph
import TesseraKernels

/// What a compiled program does and why it takes its time: for each node the kernel that was chosen, how its work is cut
/// and shared out, what bounds it, and when it is expected to be done. Text for people, `Encodable` for programs.
///
/// Times are a prediction, made of a machine's peak and bandwidths, never a measurement.
public struct Explanation: Sendable, Encodable {
  public struct Node: Sendable, Encodable {
    /// The node's name, which begins with its layer's.
    public let name: String
    public let operation: String
    /// The kernel's name, in the grammar operation.pass.algorithm.type.isa.tile.
    public let kernel: String
    /// As in the kernel's name; the operation where there is only one way to compute it.
    public let algorithm: String
    /// Rows x vectors that a kernel holds in registers; nil for kernels without tiles.
    public let tile: String?
    /// Element type and shape of the first result.
    public let output: String
    /// The meaning of its dimensions: NHWC, NC, or dense.
    public let layout: String
    /// Independent tasks of all phases.
    public let tasks: Int
    /// The fewest and the most tasks that a worker has of its own.
    public let smallestShare: Int, largestShare: Int
    /// The largest share beyond the mean, of the phase where that is most.
    public let imbalance: Double
    /// Pieces in which batch and rows are cut before channels are.
    public let bands: Int
    /// Of the direct algorithm.
    public let flops: Double
    /// Of all operands, each counted once.
    public let bytes: Int
    public let bound: Bound
    public let predictedSeconds: Double
    /// Where the result lies: the arena and its offset in bytes, prepared memory, an output, a variable.
    public let place: String
    /// Whether it is done again only after a parameter was written.
    public let isPreparation: Bool

    enum CodingKeys: String, CodingKey {
      case name, operation, kernel, algorithm, tile, output, layout, tasks, imbalance, bands, flops, bytes, bound, place
      case smallestShare = "smallest_share"
      case largestShare = "largest_share"
      case predictedSeconds = "predicted_seconds"
      case isPreparation = "is_preparation"
    }
  }

  /// In the order in which they run.
  public let nodes: [Node]
  public let workers: Int
  /// What the prediction is made of.
  public let figures: MachineFigures
  /// Of a run whose parameters are prepared.
  public let predictedSeconds: Double
  /// The time of one worker over that of all, times their number: 1 where workers lose nothing.
  public let predictedEfficiency: Double
  /// The bytes that a session of so many workers takes.
  public let memory: MemoryUse
  /// What a session got from the system; nil for a program, which has allocated nothing.
  public internal(set) var largePages: LargePages?

  enum CodingKeys: String, CodingKey {
    case nodes, workers, figures, memory
    case predictedSeconds = "predicted_seconds"
    case predictedEfficiency = "predicted_efficiency"
    case largePages = "large_pages"
  }

  /// Two lines a node, at most 80 columns.
  public var text: String {
    var lines: [String] = []
    for node in nodes {
      let tile = node.tile.map { " \($0)" } ?? ""
      lines.append(
        Self.columns(String(node.name.prefix(38)), "\(node.algorithm)\(tile)  \(node.layout) \(node.output)"))
      let share =
        node.smallestShare == node.largestShare
        ? "\(node.largestShare)" : "\(node.smallestShare)-\(node.largestShare)"
      let time =
        node.isPreparation && node.predictedSeconds == 0
        ? "once" : "\(Self.digits(node.predictedSeconds * 1e6)) us, \(node.bound.rawValue)"
      lines.append(
        "  \(node.tasks) tasks, \(share) a worker; \(Self.digits(node.flops * 1e-6)) MFLOP, "
          + "\(Self.digits(Double(node.bytes) * 1e-6)) MB; \(time); \(node.place)")
    }
    lines.append(
      "predicted \(Self.digits(predictedSeconds * 1e3)) ms with \(workers) worker\(workers == 1 ? "" : "s"), "
        + "efficiency \(Self.digits(predictedEfficiency * 100)) %")
    func megabytes(_ byteCount: Int) -> String { Self.digits(Double(byteCount) * 1e-6) }
    lines.append(
      "planned \(megabytes(memory.byteCount)) MB: \(megabytes(memory.arenaByteCount)) arena, "
        + "\(megabytes(memory.weightByteCount)) weights, \(megabytes(memory.optimizerByteCount)) optimizer, "
        + "\(megabytes(memory.preparedByteCount)) prepared")
    if let largePages {
      let large = largePages.largeByteCount.map(megabytes) ?? "unknown"
      lines.append("large pages \(large) of \(megabytes(largePages.byteCount)) MB")
    }
    return lines.map { String($0.prefix(80)) }.joined(separator: "\n")
  }

  private static func columns(_ left: String, _ right: String) -> String {
    left + String(repeating: " ", count: max(1, 40 - left.count)) + right
  }

  /// Three digits or more.
  private static func digits(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
    if value == 0 { return "0" }
    let decimals = value < 0.1 ? 1000.0 : value < 10 ? 100.0 : value < 100 ? 10.0 : 1.0
    let rounded = (value * decimals).rounded() / decimals
    return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
  }
}

extension Program {
  /// Says of every node how it is computed, who computes it, and what is expected of it, on this machine or on another
  /// that the program would be compiled for likewise.
  /// - Parameters:
  ///   - machine: where it would run; its cores beyond `workers` stay idle.
  ///   - workers: nil: one a usable core, as far as the quota allows.
  ///   - figures: what cores and memory do at best; nil: round ones of a server core.
  /// - Throws: ``TesseraError/Code/invalidAttribute`` for a number of workers that no session takes.
  public func explain(on machine: Machine = .current, workers: Int? = nil, figures: MachineFigures? = nil)
    throws(TesseraError) -> Explanation
  {
    let partition = try partition(on: machine, workers: workers)
    let figures = figures ?? .typical(instructionSet)
    func simulation(_ partition: PartitionPlan) -> Simulation {
      Simulation(plan, partition, machine: machine, lanes: instructionSet.floatLanes, figures: figures)
    }
    let all = simulation(partition)
    let alone = simulation(PartitionPlan(plan, machine: machine, workers: 1))
    let count = partition.places.count
    var nodes: [Explanation.Node] = []
    var steps = plan.steps.indices[...]
    while let first = steps.first {
      let node = plan.steps[first].node
      let phases = steps.prefix { $0 == first || (node != nil && plan.steps[$0].node == node) }
      steps = steps.dropFirst(phases.count)
      if case .kernel = plan.steps[first].work { nodes.append(explain(phases, partition, all)) }
    }
    return Explanation(
      nodes: nodes, workers: count, figures: figures, predictedSeconds: all.seconds,
      predictedEfficiency: all.seconds > 0 ? alone.seconds / (all.seconds * Double(count)) : 1,
      memory: memoryUse(workers: count))
  }

  /// Who computes what on a machine.
  /// - Throws: ``TesseraError/Code/invalidAttribute`` for a number of workers that no session takes.
  package func partition(on machine: Machine, workers: Int? = nil) throws(TesseraError) -> PartitionPlan {
    let workers = workers ?? machine.defaultWorkerCount
    guard (1...Session.maximumWorkers).contains(workers) else {
      throw TesseraError(
        .invalidAttribute, at: "workers", expected: "1 to \(Session.maximumWorkers)", found: "\(workers)")
    }
    return PartitionPlan(plan, machine: machine, workers: workers)
  }

  private func explain(_ phases: Range<Int>, _ partition: PartitionPlan, _ simulation: Simulation) -> Explanation.Node {
    let step = plan.steps[phases.lowerBound]
    let planned = step.node.map { plan.nodes[$0] }
    let count = partition.places.count
    let shares = phases.flatMap { index in
      (0..<count).map { partition.walks[index].share($0, of: count).count }
    }
    let slowest = phases.max { simulation.steps[$0].seconds < simulation.steps[$1].seconds } ?? phases.lowerBound
    let output = planned?.outputs.first
    let name = KernelName(step.kernelName)
    return Explanation.Node(
      name: step.name, operation: planned?.operation ?? step.kernelName, kernel: step.kernelName,
      algorithm: name.algorithm, tile: name.tile, output: output.map { "\($0)" } ?? "", layout: Self.layout(output),
      tasks: phases.reduce(0) { $0 + plan.steps[$1].taskCount }, smallestShare: shares.min() ?? 0,
      largestShare: shares.max() ?? 0, imbalance: phases.map { partition.imbalance(step: $0) }.max() ?? 0,
      bands: partition.walks[phases.lowerBound].bandStarts.count - 1, flops: planned?.flops ?? 0,
      bytes: step.operands.reduce(0) { $0 + $1.byteCount }, bound: simulation.steps[slowest].bound,
      predictedSeconds: phases.reduce(0) { $0 + simulation.steps[$1].seconds },
      place: step.operands.indices.contains(step.inputCount) ? "\(step.operands[step.inputCount].location)" : "",
      isPreparation: phases.lowerBound < plan.prepareStepCount)
  }

  private static func layout(_ type: TensorType?) -> String {
    switch type?.shape.rank {
    case 4: "NHWC"
    case 2: "NC"
    default: "dense"
    }
  }
}

extension Location: CustomStringConvertible {
  package var description: String {
    switch self {
    case .arena(let offset): "arena +\(offset)"
    case .prepared(let offset): "prepared +\(offset)"
    case .constant(let index): "constant \(index)"
    case .input(let index): "input \(index)"
    case .output(let index): "output \(index)"
    case .variable(let index): "variable \(index)"
    }
  }
}
