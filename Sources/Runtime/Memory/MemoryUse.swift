import TesseraGraph

/// The bytes that a program takes, known when it is compiled: all that a session allocates over a store of its own while
/// one run is under way. Each further run at the same time takes ``runByteCount`` more.
public struct MemoryUse: Hashable, Sendable, Encodable {
  /// One of those that are alive when most is.
  public struct Contributor: Hashable, Sendable, Encodable {
    /// A node's or variable's name.
    public let name: String
    public let byteCount: Int

    enum CodingKeys: String, CodingKey {
      case name
      case byteCount = "bytes"
    }
  }

  /// Of the weights.
  public let weightByteCount: Int
  /// Of moments and velocities.
  public let optimizerByteCount: Int
  /// Of running statistics, seed and step.
  public let statisticByteCount: Int
  /// Of tensors that are part of the graph.
  public let constantByteCount: Int
  /// Of what follows from parameters alone and is kept from run to run: packed weights of inference.
  public let preparedByteCount: Int
  /// Of the arena, in which values share memory that aren't alive at once: activations, gradients, packed weights of
  /// training, partial sums.
  public let arenaByteCount: Int
  /// Of what is alive at once in the arena when most is: what it would take if no gap were left in it.
  public let liveByteCount: Int
  /// Of all workers' scratch memory.
  public let scratchByteCount: Int
  /// Of outputs that a host doesn't take in memory of its own.
  public let outputByteCount: Int
  /// Of the inputs, which are the host's and not part of ``byteCount``.
  public let inputByteCount: Int
  /// Of a run: arena, scratch and outputs.
  public let runByteCount: Int
  /// Of all together, as allocated: a little more than the sum, since large pieces are whole large pages.
  public let byteCount: Int
  /// What is alive when most is, and variables; the largest first, twenty at most.
  public let largest: [Contributor]

  enum CodingKeys: String, CodingKey {
    case largest
    case weightByteCount = "weight_bytes"
    case optimizerByteCount = "optimizer_bytes"
    case statisticByteCount = "statistic_bytes"
    case constantByteCount = "constant_bytes"
    case preparedByteCount = "prepared_bytes"
    case arenaByteCount = "arena_bytes"
    case liveByteCount = "live_bytes"
    case scratchByteCount = "scratch_bytes"
    case outputByteCount = "output_bytes"
    case inputByteCount = "input_bytes"
    case runByteCount = "run_bytes"
    case byteCount = "planned_bytes"
  }

  /// - Parameter workers: each has scratch memory.
  init(_ plan: ExecutionPlan, of graph: Graph, workers: Int) {
    func variables(_ roles: Set<Variable.Role>) -> Int {
      MemoryPlan.byteCount(of: graph.variables.map(\.variable).filter { roles.contains($0.role) })
    }
    weightByteCount = variables([.weight])
    optimizerByteCount = variables([.optimizerState])
    statisticByteCount = variables([.statistic, .counter])
    constantByteCount = Self.sum(graph.constants.map { Self.allocated(graph.type(of: $0.value).byteCount) })
    preparedByteCount = plan.preparedByteCount
    arenaByteCount = plan.arenaByteCount
    liveByteCount = plan.peak.byteCount
    let (scratch, overflow) = MemoryPlan.aligned(plan.scratchByteCount).multipliedReportingOverflow(by: workers)
    scratchByteCount = overflow ? .max : scratch
    let outputs = graph.outputs.map { graph.type(of: $0.value).byteCount }
    outputByteCount = Self.sum(outputs)
    inputByteCount = Self.sum(graph.inputs.map { graph.type(of: $0.value).byteCount })
    runByteCount = Self.sum(([arenaByteCount, scratchByteCount] + outputs).map(Self.allocated))
    byteCount = Self.sum([
      Self.allocated(MemoryPlan.byteCount(of: graph.variables.map(\.variable))), constantByteCount,
      Self.allocated(preparedByteCount), runByteCount,
    ])
    let contributors =
      plan.peak.values
      + graph.variables.map { Contributor(name: $0.variable.name, byteCount: $0.variable.type.byteCount) }
    largest = Array(contributors.sorted { ($1.byteCount, $0.name) < ($0.byteCount, $1.name) }.prefix(20))
  }

  private static func allocated(_ byteCount: Int) -> Int { AlignedMemory.allocatedByteCount(byteCount) ?? .max }

  private static func sum(_ byteCounts: [Int]) -> Int {
    byteCounts.reduce(0) { MemoryPlan.saturatingSum($0, $1) }
  }

  /// - Throws: ``TesseraError/Code/memoryLimitExceeded`` that names what takes most.
  func check(limit: Int?) throws(TesseraError) {
    guard let limit, byteCount > limit else { return }
    func mebibytes(_ byteCount: Int) -> String {
      let tenths = (Double(byteCount) / Double(1 << 20) * 10).rounded() / 10
      return "\(tenths) MiB"
    }
    let reasons = largest.prefix(5).map { "\($0.name) \(mebibytes($0.byteCount))" }.joined(separator: ", ")
    throw TesseraError(
      .memoryLimitExceeded, at: "memory limit", expected: "a program of at most \(mebibytes(limit))",
      found:
        "\(mebibytes(byteCount)), of which \(mebibytes(arenaByteCount)) for temporary values; the largest: \(reasons)"
    )
  }
}

/// What is alive in the arena when most is, with one step at a time.
struct ArenaPeak: Sendable {
  var byteCount = 0
  var values: [MemoryUse.Contributor] = []

  init() {}

  init(_ temporaries: [MemoryPlan.Temporary], _ steps: [Step]) {
    var changes = [Int](repeating: 0, count: steps.count + 1)
    for temporary in temporaries {
      guard let first = temporary.steps.first, let last = temporary.steps.last else { continue }
      changes[first] += MemoryPlan.aligned(temporary.byteCount)
      changes[last + 1] -= MemoryPlan.aligned(temporary.byteCount)
    }
    var (live, peak) = (0, 0)
    for step in changes.indices {
      live += changes[step]
      if live > byteCount { (byteCount, peak) = (live, step) }
    }
    for (number, temporary) in temporaries.enumerated() {
      guard let first = temporary.steps.first, let last = temporary.steps.last, (first...last).contains(peak) else {
        continue
      }
      // Of several in one place, the latest.
      let writers = temporary.steps.filter { $0 <= peak }.compactMap { steps[$0].name(ofResult: number) }
      values.append(MemoryUse.Contributor(name: writers.last ?? "", byteCount: temporary.byteCount))
    }
  }
}

extension Step {
  /// As errors name it; nil for what the step doesn't write.
  fileprivate func name(ofResult temporary: Int) -> String? {
    guard let index = operands.dropFirst(inputCount).firstIndex(where: { $0.temporary == temporary }) else {
      return nil
    }
    let output = index - inputCount
    return output >= outputCount ? "\(name) (workspace)" : output == 0 ? name : "\(name):\(output)"
  }
}

extension MemoryPlan {
  /// Of variables in one piece, each aligned; Int.max where there are more bytes than an address can tell.
  static func byteCount(of variables: [Variable]) -> Int {
    variables.reduce(0) { saturatingSum($0, aligned($1.type.byteCount)) }
  }

  static func saturatingSum(_ a: Int, _ b: Int) -> Int {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? .max : sum
  }
}
