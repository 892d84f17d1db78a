public import TesseraGraph
public import TesseraKernels

/// A compiled graph: kernels chosen, steps ordered, memory planned. An immutable value that holds no parameters and no
/// memory of a run; bind it to a ``ParameterStore`` by a ``Session``.
public struct Program: Sendable {
  /// What is computed by whom.
  public struct Options: Hashable, Sendable {
    /// Nil: the environment's, or the best of the processor.
    public var instructionSet: InstructionSet?
    /// Plain loops in double precision for everything: the oracle.
    public var usesReferenceKernels: Bool
    /// How near to the exact sum results have to be.
    public var numerics: Numerics
    /// The algorithm of every convolution; nil leaves the choice to ``choices`` and the cost model. One that doesn't
    /// serve a convolution of the program is an error, never replaced silently.
    public var algorithm: ConvolutionAlgorithm?
    /// Whether kernels take in what follows them (sums, activations and their gradients), and weights the normalization of
    /// their result. Off, every node is a pass over memory of its own: for measurements and comparisons.
    public var fusesNodes: Bool

    /// Choices made before, by a program or by a measurement. They decide for the convolutions that they hold, and
    /// their caches are those that blocking follows from. Nil: the cost model decides, for this machine's caches.
    public var choices: KernelChoices?
    /// Whether training computes cheap values again instead of keeping them, where that lowers the peak. It changes no bit.
    public var recomputes: Bool
    /// The most bytes that the program may take (``MemoryUse/byteCount``); nil: what there is. More is an error when it is
    /// compiled, for the machine's number of workers, or when a session takes more of them.
    public var memoryLimit: Int?

    public init(
      instructionSet: InstructionSet? = nil, usesReferenceKernels: Bool = false, numerics: Numerics = .fast,
      algorithm: ConvolutionAlgorithm? = nil, choices: KernelChoices? = nil, fusesNodes: Bool = true,
      recomputes: Bool = true, memoryLimit: Int? = nil
    ) {
      self.instructionSet = instructionSet
      self.usesReferenceKernels = usesReferenceKernels
      self.numerics = numerics
      self.algorithm = algorithm
      self.choices = choices
      self.fusesNodes = fusesNodes
      self.recomputes = recomputes
      self.memoryLimit = memoryLimit
    }
  }

  /// The graph after all passes.
  public let graph: Graph
  /// The instruction set whose kernels were chosen.
  public let instructionSet: InstructionSet
  /// In the graph's order.
  package let convolutions: [ChosenConvolution]
  private let caches: CacheSizes
  let plan: ExecutionPlan
  let constants: [AlignedMemory]
  /// All variables from which something is prepared.
  let preparedVariables: [Int]
  /// As ``Options/memoryLimit``.
  let memoryLimit: Int?

  /// Compiles a graph.
  /// - Parameter machine: whose caches blocking follows from, and whose NUMA nodes memory is cut among.
  /// - Throws: ``TesseraError/Code/unsupported`` if an operation or element type has no kernel, or the processor lacks
  ///   the instruction set; ``TesseraError/Code/memoryLimitExceeded``.
  public init(_ graph: Graph, options: Options = Options(), for machine: Machine = .current) throws(TesseraError) {
    // Not `??`, whose right side can't throw a typed error.
    if let given = options.instructionSet {
      instructionSet = given
    } else {
      instructionSet = try EnvironmentSettings.instructionSet()
    }
    guard KernelCatalogue.supported.contains(instructionSet),
      let kernels = KernelCatalogue.kernels(for: instructionSet)
    else {
      throw TesseraError(
        .unsupported, at: "instruction set", expected: "one that this processor has",
        found: instructionSet.name)
    }
    var selection = AlgorithmSelection(options, caches: machine.caches)
    caches = selection.caches
    var simplified = try Simplification.run(graph)
    if options.recomputes { simplified = try Recomputation().run(simplified) }
    if options.usesReferenceKernels {
      convolutions = []
    } else {
      if options.fusesNodes { simplified = try FoldNormalizations().run(simplified) }
      convolutions = try selection.decide(for: simplified, kernels)
      simplified = try SelectKernels(kernels: kernels, selection: selection).run(simplified)
      if options.fusesNodes {
        simplified = try FuseEpilogues().run(simplified)
        simplified = try PoolEachImage(caches: caches).run(simplified)
        simplified = try UnpoolEachImage(kernels: kernels, selection: selection).run(simplified)
      }
    }
    simplified = try EliminateDeadNodes().run(simplified)
    self.graph = simplified
    plan = try Planner.plan(
      simplified, kernels: kernels, selection: selection,
      usesReferenceKernels: options.usesReferenceKernels, isForSeveralNodes: machine.numaNodes.count > 1)
    memoryLimit = options.memoryLimit
    try MemoryUse(plan, of: simplified, workers: machine.defaultWorkerCount).check(limit: memoryLimit)
    var constants: [AlignedMemory] = []
    for constant in simplified.constants {
      constants.append(
        try Self.memory(of: constant.elements, simplified.type(of: constant.value)))
    }
    self.constants = constants
    preparedVariables = Set(plan.steps.flatMap { $0.preparedFrom ?? [] }).sorted()
  }

  /// Names and types of what a run is given, in the graph's order.
  public var inputs: [(name: String, type: TensorType)] {
    graph.inputs.map { ($0.name, graph.type(of: $0.value)) }
  }

  /// Names and types of what a run gives, in the graph's order.
  public var outputs: [(name: String, type: TensorType)] {
    graph.outputs.map { ($0.name, graph.type(of: $0.value)) }
  }

  /// The algorithm of each of its convolutions, as ``Options/choices`` for another program: compiled with them from the
  /// same graph for the same instruction set, it computes the same bits, whatever its version's cost model says.
  public var choices: KernelChoices {
    var choices = KernelChoices(caches: caches)
    for chosen in convolutions { choices[chosen.convolution] = chosen.algorithm }
    return choices
  }

  /// Whether a run writes parameters.
  public var isTraining: Bool { plan.isTraining }

  /// The bytes that a session takes.
  /// - Parameter workers: nil: one a usable core of this machine.
  public func memoryUse(workers: Int? = nil) -> MemoryUse {
    MemoryUse(plan, of: graph, workers: workers ?? Machine.current.defaultWorkerCount)
  }

  /// Kernels in the order in which they run: node, operation, kernel, floating-point operations.
  public var kernelSummary: [(node: String, operation: String, kernel: String, flops: Double)] {
    plan.nodes.map { ($0.name, $0.operation, $0.kernelName, $0.flops) }
  }

  /// How many workers pay for themselves: by the plan's estimate, so that it is the same for every run.
  /// - Parameter isAwake: whether they wait for work already.
  package func workers(atMost limit: Int, isAwake: Bool) -> Int {
    // Waking a thread takes up to 50 us; one that spins starts within 1 us.
    max(1, Int(min(Double(limit), plan.estimatedSeconds / (isAwake ? 5e-6 : 50e-6))))
  }

  private static func memory(of elements: [Double], _ type: TensorType) throws(TesseraError)
    -> AlignedMemory
  {
    let memory = try AlignedMemory(allocating: type.byteCount, for: "constant")
    func fill<Element>(_: Element.Type, _ convert: (Double) -> Element?) throws(TesseraError) {
      let target = memory.bytes.bindMemory(to: Element.self)
      for (index, element) in elements.enumerated() {
        guard let converted = convert(element) else {
          throw TesseraError(
            .invalidData, at: "constant", expected: "a number that \(type.element) can hold",
            found: "\(element)")
        }
        target[index] = converted
      }
    }
    switch type.element {
    case .float32: try fill(Float.self) { Float($0) }
    case .float64: try fill(Double.self) { $0 }
    case .int32: try fill(Int32.self) { Int32(exactly: $0) }
    case .int64: try fill(Int64.self) { Int64(exactly: $0) }
    case .uint8: try fill(UInt8.self) { UInt8(exactly: $0) }
    case .bool: try fill(Bool.self) { $0 == 0 ? false : $0 == 1 ? true : nil }
    default:
      throw TesseraError(
        .unsupported, at: "constant", expected: "a known element type", found: "\(type.element)")
    }
    return memory
  }
}
