public import TesseraGraph
import TesseraKernels

extension MatrixProduct: KernelOperation {
  func geometry(_ inputs: [TensorType]) -> MatrixProductGeometry {
    let (a, b) = (inputs[0].shape, inputs[1].shape)
    return MatrixProductGeometry(
      m: transposeA ? a[1] : a[0], n: transposeB ? b[0] : b[1], k: transposeA ? a[0] : a[1],
      transposeA: transposeA, transposeB: transposeB)
  }

  /// The reference; in float32 this node was replaced when kernels were selected.
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    guard let scalar = context.referenceType else { throw context.unsupported(self) }
    return reference(context, scalar)
  }

  private func reference<T: ReferenceScalar>(_ context: KernelContext, _: T.Type) -> NodeKernel {
    let geometry = geometry(context.inputs)
    let activation = Activation(activation)
    let hasBias = context.inputs.count > 2
    return T.referenceKernel("matrix_product") { arguments in
      Reference.matrixProduct(
        geometry, a: arguments.x(0, T.self), b: arguments.x(1, T.self),
        bias: hasBias ? arguments.x(2, T.self) : nil, activation: activation,
        c: arguments.y(0, T.self))
    }
  }
}
