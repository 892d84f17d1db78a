import TesseraGraph
import TesseraKernels

/// What a kernel does to its first result on its way to memory, in place of nodes that would read it again: an addend,
/// then an activation or the gradient of one.
struct Epilogue: Hashable, Sendable {
  /// Whether the first of the epilogue's operands is added.
  var hasAddend = false
  var activation = ActivationFunction.identity
  /// Whether the last of its operands holds values of the activation, and the result is multiplied by the derivative that
  /// they tell.
  var isGradient = false
  /// Whether the maxima of blocks of 2 x 2 are all that is written (``ConvolutionOperands/poolsMaximum``).
  var poolsMaximum = false

  /// They come behind the operation's own, like the result in type.
  var operandCount: Int { (hasAddend ? 1 : 0) + (isGradient ? 1 : 0) }
}

/// An operation of which `kernel` does what ``KernelContext/epilogue`` says, in float32.
protocol EpilogueKernel: KernelOperation {
  /// False where the first result isn't what the epilogue is for.
  var takesEpilogue: Bool { get }
  /// True where ``Epilogue/poolsMaximum`` is done.
  var takesPooling: Bool { get }
}

extension EpilogueKernel {
  var takesEpilogue: Bool { true }
  var takesPooling: Bool { false }
}

/// An operation and an epilogue.
struct Fused: StridedKernel {
  let base: any EpilogueKernel
  let epilogue: Epilogue

  var name: String {
    var name = base.name
    if epilogue.hasAddend { name += "+add" }
    if epilogue.activation != .identity {
      name += epilogue.isGradient ? "+\(epilogue.activation)_gradient" : "+\(epilogue.activation)"
    }
    if epilogue.poolsMaximum { name += "+max_pool" }
    return name
  }

  func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    var types = try base.outputTypes(inputs.dropLast(epilogue.operandCount), at: location)
    for input in inputs.suffix(epilogue.operandCount) {
      try OperandCheck.equal(input, types[0], "an operand like the result", at: location)
    }
    if epilogue.poolsMaximum {
      let y = types[0].shape
      types[0] = TensorType([y[0], y[1] / 2, y[2] / 2, y[3]], types[0].element)
    }
    return types
  }

  func flops(_ inputs: [TensorType]) -> Double { base.flops(inputs.dropLast(epilogue.operandCount)) }

  func readsStrided(_ operand: Int) -> Bool { (base as? any StridedKernel)?.readsStrided(operand) == true }

  /// The epilogue's operands lie as the result does, and are dense.
  var writesStrided: Bool {
    epilogue.operandCount == 0 && (base as? any StridedKernel)?.writesStrided == true
  }

  func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    var inner = context
    inner.inputs.removeLast(epilogue.operandCount)
    inner.epilogue = epilogue
    return try base.kernel(inner)
  }
}

/// An epilogue as a running kernel sees it.
struct EpilogueOperands: Sendable {
  private let epilogue: Epilogue
  /// Of the operation itself.
  private let inputCount: Int
  private let kernels: any KernelSet.Type
  let activation: Activation
  var poolsMaximum: Bool { epilogue.poolsMaximum }

  init(_ context: KernelContext) {
    (epilogue, inputCount, kernels) = (context.epilogue, context.inputs.count, context.kernels)
    activation = Activation(epilogue.activation)
  }

  func addend(_ arguments: KernelArguments) -> UnsafePointer<Float>? {
    epilogue.hasAddend ? arguments.x(inputCount) : nil
  }

  func activated(_ arguments: KernelArguments) -> UnsafePointer<Float>? {
    epilogue.isGradient ? arguments.x(inputCount + epilogue.operandCount - 1) : nil
  }

  /// For kernels that know no epilogue: calls `body` for parts of rows of the result, and finishes each part while it is
  /// in level 2: shorter ones would make kernels that prepare each channel do so too often.
  func forEachPart(
    of rows: Range<Int>, width: Int, _ arguments: KernelArguments, _ body: (Range<Int>) throws -> Void
  ) rethrows {
    if epilogue == Epilogue() { return try body(rows) }
    let rowsPerPart = max(1, Chunks.elementsPerTask / max(1, width))
    var first = rows.lowerBound
    while first < rows.upperBound {
      let part = first..<min(first + rowsPerPart, rows.upperBound)
      try body(part)
      finish(part.lowerBound * width..<part.upperBound * width, arguments)
      first = part.upperBound
    }
  }

  private func finish(_ elements: Range<Int>, _ arguments: KernelArguments) {
    let first = elements.lowerBound
    kernels.finish(
      count: elements.count, y: arguments.y(0) + first, addend: addend(arguments).map { $0 + first },
      activation: activation, activated: activated(arguments).map { $0 + first })
  }
}
