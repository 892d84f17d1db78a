import TesseraGraph
import TesseraKernels

// What convolutions and matrix products become once their kernel is chosen (SelectKernels): the weights' packing is a
// node of its own, so that it is done again only when the weights were written.

/// A convolution in one pass, or a matrix product, over a second operand that ``PackOperand`` has brought into order.
struct PackedProduct: KernelOperation, Hashable {
  enum Problem: Hashable, Sendable {
    case forward(ConvolutionGeometry)
    case backwardData(ConvolutionGeometry)
    case matrix(MatrixProductGeometry)
  }

  let problem: Problem
  let activation: ActivationFunction
  let outputType: TensorType

  var name: String {
    switch problem {
    case .forward: "conv2d"
    case .backwardData: "conv2d_backward_data"
    case .matrix: "matrix_product"
    }
  }

  func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 2...3, at: location)
    return [outputType]
  }

  func flops(_ inputs: [TensorType]) -> Double { problem.flops }

  func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let plan = problem.plan(context.kernels, context.caches)
    let kernels = context.kernels
    let activation = Activation(activation)
    let hasBias = context.inputs.count > 2
    let scratchByteCount = plan.scratchCount * MemoryLayout<Float>.stride
    switch problem {
    case .forward, .backwardData:
      return NodeKernel(
        name: plan.name, taskCount: plan.taskCount, scratchByteCount: scratchByteCount
      ) { tasks, arguments in
        kernels.convolve(
          plan, tasks: tasks, input: arguments.x(0), packed: arguments.x(1),
          bias: hasBias ? arguments.x(2) : nil, activation: activation, output: arguments.y(0),
          scratch: arguments.scratchFloats)
      }
    case .matrix:
      return NodeKernel(
        name: plan.name, taskCount: plan.taskCount, scratchByteCount: scratchByteCount
      ) { tasks, arguments in
        kernels.multiply(
          plan, tasks: tasks, a: arguments.x(0), packed: arguments.x(1),
          bias: hasBias ? arguments.x(2) : nil, activation: activation, c: arguments.y(0),
          scratch: arguments.scratchFloats)
      }
    }
  }
}

extension PackedProduct.Problem {
  func plan(_ kernels: any KernelSet.Type, _ caches: CacheSizes) -> ConvolutionPlan {
    switch self {
    case .forward(let geometry): kernels.forwardPlan(geometry, caches: caches)
    case .backwardData(let geometry): kernels.backwardDataPlan(geometry, caches: caches)
    case .matrix(let geometry): kernels.matrixProductPlan(geometry, caches: caches)
    }
  }

  var flops: Double {
    switch self {
    case .forward(let geometry), .backwardData(let geometry): geometry.flops
    case .matrix(let geometry): geometry.flops
    }
  }
}

/// Brings weights, or the second factor of a matrix product, into the order in which the kernel reads them.
struct PackOperand: KernelOperation, Hashable {
  let problem: PackedProduct.Problem
  let packedCount: Int

  var name: String { "pack" }

  func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 1...1, at: location)
    return [TensorType([packedCount])]
  }

  func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let plan = problem.plan(context.kernels, context.caches)
    let kernels = context.kernels
    if case .matrix = problem {
      return NodeKernel(name: "pack.\(plan.name)", taskCount: plan.packTaskCount) { tasks, arguments in
        kernels.packMatrix(plan, tasks: tasks, b: arguments.x(0), packed: arguments.y(0))
      }
    }
    return NodeKernel(name: "pack.\(plan.name)", taskCount: plan.packTaskCount) { tasks, arguments in
      kernels.packWeights(plan, tasks: tasks, weights: arguments.x(0), packed: arguments.y(0))
    }
  }
}
