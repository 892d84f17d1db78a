public import TesseraGraph
import TesseraKernels

extension AxisCombination: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let view = AxisView(context.inputs[0].shape, axis...axis)
    if let scalar = context.referenceType { return reference(view, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let (offsets, indices, weights) = (offsets, indices, weights.map { Float($0) })
    let results = offsets.count - 1
    let chunks = Chunks(
      view.inner == 0 ? 0 : view.outer * results, perTask: Chunks.elementsPerTask / max(1, view.inner))
    return NodeKernel(name: context.kernelName(name), taskCount: chunks.taskCount) { tasks, arguments in
      for row in chunks.elements(tasks) {
        let terms = offsets[row % results]..<offsets[row % results + 1]
        let x = arguments.x(0) + row / results * view.size * view.inner
        let y = arguments.y(0) + row * view.inner
        if view.inner == 1 {
          var sum: Float = 0
          for t in terms { sum += weights[t] * x[indices[t]] }
          y.pointee = sum
        } else {
          y.update(repeating: 0, count: view.inner)
          for t in terms {
            kernels.addScaled(factor: weights[t], count: view.inner, x: x + indices[t] * view.inner, y: y)
          }
        }
      }
    }
  }

  private func reference<T: ReferenceScalar>(_ view: AxisView, _: T.Type) -> NodeKernel {
    let (offsets, indices, weights) = (offsets, indices, weights)
    let results = offsets.count - 1
    return T.referenceKernel("axis_combination") { arguments in
      let (x, y) = (arguments.x(0, T.self), arguments.y(0, T.self))
      for row in 0..<view.outer * results {
        for column in 0..<view.inner {
          var sum = 0.0
          for t in offsets[row % results]..<offsets[row % results + 1] {
            sum += weights[t] * Double(x[(row / results * view.size + indices[t]) * view.inner + column])
          }
          y[row * view.inner + column] = T(sum)
        }
      }
    }
  }
}
