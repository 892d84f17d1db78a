public import TesseraGraph
public import TesseraKernels

/// An operation that has kernels of its own: the runtime asks it once, when a program is compiled, how it is computed.
///
/// Ours and those of a host conform to the same protocol. See Docs/CustomLayers.md.
public protocol KernelOperation: Operation {
  /// How to compute one node, given the types of its operands and what is known of the machine.
  /// - Throws: ``TesseraError/Code/unsupported`` if there is no kernel for these types.
  func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel
}

/// What a kernel may be chosen by. The number of workers isn't among it: results must not depend on it.
public struct KernelContext: Sendable {
  /// The node's name, for errors.
  public let location: String
  /// Types of the operands.
  public internal(set) var inputs: [TensorType]
  /// Types of the results.
  public let outputs: [TensorType]
  /// The instruction set that the program is compiled for.
  public let instructionSet: InstructionSet
  /// What blocking may follow from.
  public let caches: CacheSizes
  /// Which algorithm computes which convolution.
  package let selection: AlgorithmSelection
  /// The kernels of that instruction set.
  package let kernels: any KernelSet.Type
  /// Whether plain loops are asked for even where there is a fast kernel.
  package let usesReferenceKernels: Bool
  /// What an ``EpilogueKernel`` is to do to its result.
  var epilogue = Epilogue()
  /// Of a ``StridedKernel``'s operands that are channels of wider rows: elements from the beginning of one row to that of
  /// the next.
  var inputPitches: [Int: Int] = [:]
  /// Likewise of its first result; nil: it is dense.
  var outputPitch: Int?
  /// Operands of a concatenation that are where they belong, or that of a slice which is read where it lies.
  var inputsInPlace: Set<Int> = []

  /// The error of an operation that has no kernel for its element type.
  public func unsupported(_ operation: any Operation) -> TesseraError {
    TesseraError(
      .unsupported, at: location, expected: "an element type with a kernel for \(operation.name)",
      found: inputs.map(\.description).joined(separator: ", "))
  }
}

/// How one node is computed: phases one after the other, each a number of independent tasks. The number of tasks and
/// what each computes depend on the problem only.
public struct NodeKernel: Sendable {
  /// For reports, in the grammar operation.pass.type.isa.tile.
  public var name: String
  /// Bytes that the phases of one run share, for partial results; uninitialised.
  public var workspaceByteCount: Int
  /// Bytes that each worker has for itself while it runs tasks; uninitialised.
  public var scratchByteCount: Int
  /// Each begins when the one before is done.
  public var phases: [Phase]
  /// Inputs in whose place the first result may be written, if their size is the same: no task reads of them, while results
  /// are written, what another task writes, nor what it has written itself.
  public var overwritableInputs: [Int] = []

  /// Tasks that may run in any order and at the same time.
  public struct Phase: Sendable {
    /// From the problem alone.
    public var taskCount: Int
    /// For placement and prediction.
    package var shape = PhaseShape()
    /// Runs a range of tasks. Throwing ends the run: nothing is written to the parameters.
    public var run: @Sendable (Range<Int>, KernelArguments) throws -> Void

    /// A kernel of several phases; byte counts are 0 where it needs no memory of its own.
    public init(
      taskCount: Int, run: @escaping @Sendable (Range<Int>, KernelArguments) throws -> Void
    ) {
      self.taskCount = taskCount
      self.run = run
    }
  }

  /// A kernel of several phases; byte counts are 0 where it needs no memory of its own.
  public init(
    name: String, workspaceByteCount: Int = 0, scratchByteCount: Int = 0, phases: [Phase]
  ) {
    self.name = name
    self.workspaceByteCount = workspaceByteCount
    self.scratchByteCount = scratchByteCount
    self.phases = phases
  }

  /// A kernel of one phase.
  public init(
    name: String, taskCount: Int, scratchByteCount: Int = 0,
    run: @escaping @Sendable (Range<Int>, KernelArguments) throws -> Void
  ) {
    self.init(
      name: name, scratchByteCount: scratchByteCount,
      phases: [Phase(taskCount: taskCount, run: run)])
  }
}

/// The memory that a task works on, valid while the task runs. Tensors are dense and row-major, aligned to their
/// element only.
public struct KernelArguments {
  /// Inputs, outputs, then the workspace.
  let operands: UnsafePointer<UnsafeMutableRawBufferPointer>
  let inputCount: Int
  let outputCount: Int
  /// This worker's own memory.
  public let scratch: UnsafeMutableRawBufferPointer

  /// Elements of input `index`.
  public func input<Element: TensorElement>(_ index: Int, as: Element.Type = Element.self)
    -> UnsafeBufferPointer<Element>
  {
    precondition(index >= 0 && index < inputCount, "the node has \(inputCount) inputs")
    return UnsafeBufferPointer(operands[index].assumingMemoryBound(to: Element.self))
  }

  /// Elements of output `index`; a task writes those that are its own.
  public func output<Element: TensorElement>(_ index: Int, as: Element.Type = Element.self)
    -> UnsafeMutableBufferPointer<Element>
  {
    precondition(index >= 0 && index < outputCount, "the node has \(outputCount) outputs")
    return operands[inputCount + index].assumingMemoryBound(to: Element.self)
  }

  /// Shared by all phases of the node.
  public var workspace: UnsafeMutableRawBufferPointer { operands[inputCount + outputCount] }
}

extension KernelArguments {
  /// The start of input `index`, for our kernels, whose extents the graph has checked.
  @inline(__always)
  func x<Element>(_ index: Int, _: Element.Type = Float.self) -> UnsafePointer<Element> {
    // Every operand has a base, also one of no bytes (AlignedMemory).
    UnsafePointer(operands[index].baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: Element.self))
  }

  @inline(__always)
  func y<Element>(_ index: Int, _: Element.Type = Float.self) -> UnsafeMutablePointer<Element> {
    operands[inputCount + index].baseAddress.unsafelyUnwrapped
      .assumingMemoryBound(to: Element.self)
  }

  @inline(__always)
  var workspaceFloats: UnsafeMutablePointer<Float> {
    workspace.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: Float.self)
  }

  @inline(__always)
  var scratchFloats: UnsafeMutablePointer<Float> {
    scratch.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: Float.self)
  }
}
