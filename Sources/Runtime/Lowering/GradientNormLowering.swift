public import TesseraGraph
import TesseraKernels

extension SumOfSquares: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let counts = context.inputs.map(\.shape.count)
    if let scalar = context.referenceType { return reference(counts, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let parts = counts.enumerated().flatMap { operand, count in
      let chunks = Chunks(count)
      return (0..<chunks.taskCount).map { (operand: operand, range: chunks.elements($0..<$0 + 1)) }
    }
    return NodeKernel(
      name: context.kernelName("sum_of_squares"), workspaceByteCount: parts.count * MemoryLayout<Float>.stride,
      phases: [
        NodeKernel.Phase(taskCount: parts.count) { tasks, arguments in
          for task in tasks {
            let (operand, range) = parts[task]
            arguments.workspaceFloats[task] = kernels.sumOfSquares(
              count: range.count, x: arguments.x(operand) + range.lowerBound)
          }
        },
        NodeKernel.Phase(taskCount: 1) { _, arguments in
          arguments.y(0).pointee = kernels.sum(count: parts.count, x: arguments.workspaceFloats)
        },
      ])
  }

  private func reference<T: ReferenceScalar>(_ counts: [Int], _: T.Type) -> NodeKernel {
    T.referenceKernel("sum_of_squares") { arguments in
      var sum = 0.0
      for (operand, count) in counts.enumerated() {
        sum += Double(Reference.sumOfSquares(count: count, x: arguments.x(operand, T.self)))
      }
      arguments.y(0, T.self).pointee = T(sum)
    }
  }
}

extension ClipToNorm: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let count = context.outputs[0].shape.count
    if let scalar = context.referenceType { return reference(count, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    return context.elementwise("clip_to_norm", count: count) { range, arguments in
      kernels.affine(
        count: range.count, factor: Float(factor(Double(arguments.x(1).pointee))), offset: 0,
        x: arguments.x(0) + range.lowerBound, y: arguments.y(0) + range.lowerBound, streams: streams)
    }
  }

  private func reference<T: ReferenceScalar>(_ count: Int, _: T.Type) -> NodeKernel {
    T.referenceKernel("clip_to_norm") { arguments in
      Reference.affine(
        count: count, factor: factor(Double(arguments.x(1, T.self).pointee)), offset: 0, x: arguments.x(0, T.self),
        y: arguments.y(0, T.self))
    }
  }
}
