public import TesseraGraph
import TesseraKernels

// In float32 forward and backward-data were replaced by ``PackedProduct`` when kernels were selected; what arrives here
// is the reference.

extension Convolution2D: KernelOperation {
  func geometry(_ inputs: [TensorType]) -> ConvolutionGeometry {
    ConvolutionGeometry(x: inputs[0], w: inputs[1], window: window, groups: groups)
  }

  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    guard let scalar = context.referenceType else { throw context.unsupported(self) }
    return reference(context, scalar)
  }

  private func reference<T: ReferenceScalar>(_ context: KernelContext, _: T.Type) -> NodeKernel {
    let geometry = geometry(context.inputs)
    let activation = Activation(activation)
    let hasBias = context.inputs.count > 2
    return T.referenceKernel("conv2d.forward") { arguments in
      Reference.convolutionForward(
        geometry, x: arguments.x(0, T.self), w: arguments.x(1, T.self),
        bias: hasBias ? arguments.x(2, T.self) : nil, activation: activation,
        y: arguments.y(0, T.self))
    }
  }
}

extension ConvolutionBackwardData: KernelOperation {
  /// Sizes of the convolution whose transpose this is.
  func geometry(_ inputs: [TensorType], _ output: TensorType) -> ConvolutionGeometry {
    ConvolutionGeometry(x: output, w: inputs[1], window: window, groups: groups)
  }

  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    guard let scalar = context.referenceType else { throw context.unsupported(self) }
    return reference(context, scalar)
  }

  private func reference<T: ReferenceScalar>(_ context: KernelContext, _: T.Type) -> NodeKernel {
    let geometry = geometry(context.inputs, context.outputs[0])
    let activation = Activation(activation)
    let hasBias = context.inputs.count > 2
    return T.referenceKernel("conv2d.backward_data") { arguments in
      Reference.convolutionBackwardData(
        geometry, dy: arguments.x(0, T.self), w: arguments.x(1, T.self),
        bias: hasBias ? arguments.x(2, T.self) : nil, activation: activation,
        dx: arguments.y(0, T.self))
    }
  }
}

extension ConvolutionBackwardWeights: KernelOperation {
  /// Sizes of the convolution whose weights' gradient this is.
  func geometry(_ inputs: [TensorType], _ output: TensorType) -> ConvolutionGeometry {
    ConvolutionGeometry(x: inputs[0], w: output, window: window, groups: groups)
  }

  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let geometry = geometry(context.inputs, context.outputs[0])
    if let scalar = context.referenceType { return reference(geometry, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let settings = try context.selection.settings(.backwardWeights, geometry, context.kernels, at: context.location)
    let plan = context.kernels.weightGradientPlan(geometry, settings)
    var kernel = NodeKernel(
      name: plan.name, workspaceByteCount: plan.partialsCount * MemoryLayout<Float>.stride,
      scratchByteCount: plan.scratchCount * MemoryLayout<Float>.stride,
      phases: [
        NodeKernel.Phase(taskCount: plan.taskCount) { tasks, arguments in
          plan.accumulate(
            tasks: tasks, x: arguments.x(0), dy: arguments.x(1), partials: arguments.workspaceFloats,
            scratch: arguments.scratchFloats)
        },
        NodeKernel.Phase(taskCount: plan.reduceTaskCount) { tasks, arguments in
          plan.reduce(tasks: tasks, partials: arguments.workspaceFloats, dw: arguments.y(0))
        },
      ])
    kernel.phases[0].shape.multiplyAddSteps = plan.multiplyAddSteps
    return kernel
  }

  private func reference<T: ReferenceScalar>(_ geometry: ConvolutionGeometry, _: T.Type)
    -> NodeKernel
  {
    T.referenceKernel("conv2d.backward_weights") { arguments in
      Reference.convolutionBackwardWeights(
        geometry, x: arguments.x(0, T.self), dy: arguments.x(1, T.self), dw: arguments.y(0, T.self))
    }
  }
}
