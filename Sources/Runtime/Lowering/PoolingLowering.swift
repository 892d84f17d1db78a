public import TesseraGraph
import TesseraKernels

extension MaxPool2DOperation: StridedKernel {
  func readsStrided(_ operand: Int) -> Bool { operand == 0 }
  var writesStrided: Bool { false }

  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let (x, y) = (context.inputs[0], context.outputs[0])
    let geometry = PoolingGeometry(x: x.shape, xPitch: context.pitch(ofInput: 0), y: y.shape, window: window)
    if let scalar = context.referenceType { return reference(geometry, scalar) }
    guard x.element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    return context.rowwise(
      "max_pool.forward", rows: y.shape[0] * y.shape[1],
      elementsPerRow: y.shape[2] * y.shape[3] * geometry.r * geometry.s
    ) { rows, arguments in
      kernels.maxPool(
        geometry, rows: rows, x: arguments.x(0), y: arguments.y(0), mask: arguments.y(1, Int32.self), streams: streams)
    }
  }

  private func reference<T: ReferenceScalar>(_ geometry: PoolingGeometry, _: T.Type) -> NodeKernel {
    T.referenceKernel("max_pool.forward") { arguments in
      Reference.maxPool(
        geometry, x: arguments.x(0, T.self), y: arguments.y(0, T.self),
        mask: arguments.y(1, Int32.self))
    }
  }
}

extension MaxPool2DBackward: EpilogueKernel {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let (dy, dx) = (context.inputs[0], context.outputs[0])
    let geometry = PoolingGeometry(x: dx.shape, xPitch: dx.shape[3], y: dy.shape, window: window)
    if let scalar = context.referenceType { return reference(geometry, scalar) }
    guard dy.element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    return context.rowwise(
      "max_pool.backward", rows: dx.shape[0] * dx.shape[1],
      elementsPerRow: dx.shape[2] * dx.shape[3]
    ) { rows, arguments in
      kernels.maxPoolBackward(
        geometry, rows: rows, dy: arguments.x(0), mask: arguments.x(1, Int32.self),
        dx: arguments.y(0), streams: streams)
    }
  }

  private func reference<T: ReferenceScalar>(_ geometry: PoolingGeometry, _: T.Type) -> NodeKernel {
    T.referenceKernel("max_pool.backward") { arguments in
      Reference.maxPoolBackward(
        geometry, dy: arguments.x(0, T.self), mask: arguments.x(1, Int32.self),
        dx: arguments.y(0, T.self))
    }
  }
}

extension AveragePool2DOperation: EpilogueKernel, StridedKernel {
  func readsStrided(_ operand: Int) -> Bool { operand == 0 }
  var writesStrided: Bool { false }

  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let (x, y) = (context.inputs[0], context.outputs[0])
    let geometry = PoolingGeometry(x: x.shape, xPitch: context.pitch(ofInput: 0), y: y.shape, window: window)
    let countsPadding = countsPadding
    if let scalar = context.referenceType { return reference(geometry, scalar) }
    guard x.element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    return context.rowwise(
      "average_pool.forward", rows: y.shape[0] * y.shape[1],
      elementsPerRow: y.shape[2] * y.shape[3] * geometry.r * geometry.s
    ) { rows, arguments in
      kernels.averagePool(
        geometry, countPadding: countsPadding, rows: rows, x: arguments.x(0), y: arguments.y(0), streams: streams)
    }
  }

  private func reference<T: ReferenceScalar>(_ geometry: PoolingGeometry, _: T.Type) -> NodeKernel {
    let countsPadding = countsPadding
    return T.referenceKernel("average_pool.forward") { arguments in
      Reference.averagePool(
        geometry, countPadding: countsPadding, x: arguments.x(0, T.self), y: arguments.y(0, T.self))
    }
  }
}

extension AveragePool2DBackward: EpilogueKernel {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let (dy, dx) = (context.inputs[0], context.outputs[0])
    let geometry = PoolingGeometry(x: dx.shape, xPitch: dx.shape[3], y: dy.shape, window: window)
    let countsPadding = countsPadding
    if let scalar = context.referenceType { return reference(geometry, scalar) }
    guard dy.element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    return context.rowwise(
      "average_pool.backward", rows: dx.shape[0] * dx.shape[1],
      elementsPerRow: dx.shape[2] * dx.shape[3]
    ) { rows, arguments in
      kernels.averagePoolBackward(
        geometry, countPadding: countsPadding, rows: rows, dy: arguments.x(0), dx: arguments.y(0), streams: streams)
    }
  }

  private func reference<T: ReferenceScalar>(_ geometry: PoolingGeometry, _: T.Type) -> NodeKernel {
    let countsPadding = countsPadding
    return T.referenceKernel("average_pool.backward") { arguments in
      Reference.averagePoolBackward(
        geometry, countPadding: countsPadding, dy: arguments.x(0, T.self), dx: arguments.y(0, T.self))
    }
  }
}

extension MaxPoolIndices: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let (window, height, width, countsColumns) = (window, inputHeight, inputWidth, countsColumns)
    let shape = context.inputs[0].shape
    let chunks = Chunks(shape.count)
    return NodeKernel(name: "max_pool_indices", taskCount: chunks.taskCount) { tasks, arguments in
      let (mask, y) = (arguments.x(0, Int32.self), arguments.y(0, Int64.self))
      for element in chunks.elements(tasks) {
        let (c, pixel) = (element % shape[3], element / shape[3])
        let (q, p, n) = (pixel % shape[2], pixel / shape[2] % shape[1], pixel / shape[2] / shape[1])
        let (r, s) = (Int(mask[element]) / window.kernel.x, Int(mask[element]) % window.kernel.x)
        let h = p * window.stride.y - window.top + r * window.dilation.y
        let w = q * window.stride.x - window.left + s * window.dilation.x
        let place = countsColumns ? w * height + h : h * width + w
        y[element] = Int64((n * shape[3] + c) * height * width + place)
      }
    }
  }
}
