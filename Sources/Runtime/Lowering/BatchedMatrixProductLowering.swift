public import TesseraGraph
import TesseraKernels

extension BatchedMatrixProduct: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let (a, b) = (context.inputs[0].shape, context.inputs[1].shape)
    let (m, k, n) = (a[1], a[2], b[2])
    if let scalar = context.referenceType { return Self.reference(batch: a[0], m, k, n, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let chunks = Chunks(a[0] * m, perTask: Chunks.elementsPerTask / max(1, k * n))
    return NodeKernel(name: context.kernelName(name), taskCount: chunks.taskCount) { tasks, arguments in
      for row in chunks.elements(tasks) {
        let (a, y) = (arguments.x(0) + row * k, arguments.y(0) + row * n)
        let b = arguments.x(1) + row / m * k * n
        y.update(repeating: 0, count: n)
        for i in 0..<k { kernels.addScaled(factor: a[i], count: n, x: b + i * n, y: y) }
      }
    }
  }

  private static func reference<T: ReferenceScalar>(batch: Int, _ m: Int, _ k: Int, _ n: Int, _: T.Type)
    -> NodeKernel
  {
    T.referenceKernel("batched_matrix_product") { arguments in
      let (a, b, y) = (arguments.x(0, T.self), arguments.x(1, T.self), arguments.y(0, T.self))
      for row in 0..<batch * m {
        for column in 0..<n {
          var sum = 0.0
          for i in 0..<k { sum += Double(a[row * k + i]) * Double(b[(row / m * k + i) * n + column]) }
          y[row * n + column] = T(sum)
        }
      }
    }
  }
}
