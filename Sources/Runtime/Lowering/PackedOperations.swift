import TesseraGraph
import TesseraKernels

// What convolutions and matrix products become once their kernel is chosen (SelectKernels): the weights' packing is a
// node of its own, so that it is done again only when the weights were written.

/// A convolution in one pass, or a matrix product, over a second operand that ``PackOperand`` has brought into order.
struct PackedProduct: EpilogueKernel, StridedKernel {
  /// The name of the operation that this was.
  let name: String
  let plan: any PlannedConvolution
  let flops: Double
  let outputType: TensorType
  /// As ``PhaseShape/haloByteCount``.
  let haloByteCount: Int

  var takesPooling: Bool { plan.takesPooling }

  func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 2...3, at: location)
    return [outputType]
  }

  func flops(_ inputs: [TensorType]) -> Double { flops }

  /// Images only: the rows of a matrix may be columns for the kernel.
  func readsStrided(_ operand: Int) -> Bool {
    operand == 0 && outputType.shape.rank == 4 && plan is any StridedConvolution
  }

  var writesStrided: Bool { plan is any StridedConvolution }

  func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    var plan = plan
    if let strided = plan as? any StridedConvolution {
      plan = strided.strided(inputPitch: context.inputPitches[0], outputPitch: context.outputPitch)
    }
    let chosen = plan
    let epilogue = EpilogueOperands(context)
    let hasBias = context.inputs.count > 2
    var kernel = NodeKernel(
      name: plan.name, taskCount: plan.taskCount, scratchByteCount: plan.scratchCount * MemoryLayout<Float>.stride
    ) { tasks, arguments in
      chosen.run(
        tasks: tasks,
        ConvolutionOperands(
          input: arguments.x(0), packed: arguments.x(1), bias: hasBias ? arguments.x(2) : nil,
          addend: epilogue.addend(arguments), activation: epilogue.activation,
          activated: epilogue.activated(arguments), poolsMaximum: epilogue.poolsMaximum, output: arguments.y(0)),
        scratch: arguments.scratchFloats)
    }
    kernel.phases[0].shape.channelParts = plan.channelParts
    kernel.phases[0].shape.multiplyAddSteps = plan.multiplyAddSteps
    kernel.phases[0].shape.weightOperand = 1
    kernel.phases[0].shape.haloByteCount = haloByteCount
    return kernel
  }
}

/// Brings weights, or the second factor of a matrix product, into the order in which the kernel reads them.
struct PackOperand: KernelOperation {
  let plan: any PlannedConvolution

  var name: String { "pack" }

  func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 1...1, at: location)
    return [TensorType([plan.packedCount])]
  }

  func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let plan = plan
    return NodeKernel(
      name: "pack.\(plan.name)", taskCount: plan.packTaskCount,
      scratchByteCount: plan.packScratchCount * MemoryLayout<Float>.stride
    ) { tasks, arguments in
      plan.pack(tasks: tasks, weights: arguments.x(0), packed: arguments.y(0), scratch: arguments.scratchFloats)
    }
  }
}
