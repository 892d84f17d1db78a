public import TesseraGraph
import TesseraKernels

// Updates run in place when they are the commit of a step: input and output are then the variable's own memory.
// Elsewhere the old value is copied first.

extension KernelArguments {
  /// Output `output`, holding input `input`'s elements of a range.
  @inline(__always)
  func updated<T>(_ output: Int, from input: Int, _ range: Range<Int>, _: T.Type = Float.self)
    -> UnsafeMutablePointer<T>
  {
    let target = y(output, T.self) + range.lowerBound
    let source = x(input, T.self) + range.lowerBound
    if UnsafePointer(target) != source { target.update(from: source, count: range.count) }
    return target
  }
}

extension SGDUpdate: KernelOperation, InPlaceUpdate {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let count = context.inputs[0].shape.count
    if let scalar = context.referenceType { return reference(count, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let hasVelocity = context.inputs.count > 3
    return context.elementwise("sgd", count: count, isUpdate: true) { range, arguments in
      kernels.sgd(
        step(arguments), count: range.count, gradient: arguments.x(1) + range.lowerBound,
        parameter: arguments.updated(0, from: 0, range),
        velocity: hasVelocity ? arguments.updated(1, from: 3, range) : nil)
    }
  }

  private func reference<T: ReferenceScalar>(_ count: Int, _: T.Type) -> NodeKernel {
    let hasVelocity = momentum != 0
    return T.referenceKernel("sgd") { arguments in
      Reference.sgd(
        step(arguments), count: count, gradient: arguments.x(1, T.self),
        parameter: arguments.updated(0, from: 0, 0..<count, T.self),
        velocity: hasVelocity ? arguments.updated(1, from: 3, 0..<count, T.self) : nil)
    }
  }

  private func step(_ arguments: KernelArguments) -> SGDStep {
    SGDStep(
      learningRate: Double(arguments.x(2).pointee), momentum: momentum, weightDecay: weightDecay, nesterov: nesterov)
  }
}

extension AdamUpdate: KernelOperation, InPlaceUpdate {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let count = context.inputs[0].shape.count
    if let scalar = context.referenceType { return reference(count, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    return context.elementwise("adam", count: count, isUpdate: true) { range, arguments in
      kernels.adam(
        step(arguments), count: range.count, gradient: arguments.x(1) + range.lowerBound,
        parameter: arguments.updated(0, from: 0, range),
        firstMoment: arguments.updated(1, from: 3, range),
        secondMoment: arguments.updated(2, from: 4, range))
    }
  }

  private func reference<T: ReferenceScalar>(_ count: Int, _: T.Type) -> NodeKernel {
    T.referenceKernel("adam") { arguments in
      Reference.adam(
        step(arguments), count: count, gradient: arguments.x(1, T.self),
        parameter: arguments.updated(0, from: 0, 0..<count, T.self),
        firstMoment: arguments.updated(1, from: 3, 0..<count, T.self),
        secondMoment: arguments.updated(2, from: 4, 0..<count, T.self))
    }
  }

  private func step(_ arguments: KernelArguments) -> AdamStep {
    AdamStep(
      learningRate: Double(arguments.x(2).pointee), beta1: beta1, beta2: beta2, epsilon: epsilon,
      weightDecay: weightDecay, decoupled: decoupled, step: arguments.x(5, Int64.self).pointee &+ 1)
  }
}

extension Increment: KernelOperation, InPlaceUpdate {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    NodeKernel(name: "increment", taskCount: 1) { _, arguments in
      arguments.y(0, Int64.self).pointee = arguments.x(0, Int64.self).pointee &+ 1
    }
  }
}

extension MovingAverage: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    guard let scalar = context.inputs[0].element == .float32 ? Float.self : context.referenceType
    else { throw context.unsupported(self) }
    return plain(context, scalar)
  }

  /// Running statistics have as many elements as there are channels: a plain loop is enough.
  private func plain<T: ReferenceScalar>(_ context: KernelContext, _: T.Type) -> NodeKernel {
    let count = context.outputs[0].shape.count
    let (momentum, factor) = (T(momentum), T(factor))
    return NodeKernel(name: "moving_average.\(T.shortName)", taskCount: 1) { _, arguments in
      let (running, new) = (arguments.x(0, T.self), arguments.x(1, T.self))
      let y = arguments.y(0, T.self)
      for index in 0..<count {
        y[index] = (1 - momentum) * running[index] + momentum * (factor * new[index])
      }
    }
  }
}
