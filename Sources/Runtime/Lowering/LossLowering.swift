public import TesseraGraph
import TesseraKernels

extension SoftmaxOperation: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let rows = Rows(context.outputs[0])
    if let scalar = context.referenceType { return reference(rows, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    return context.rowwise("softmax.forward", rows: rows.count, elementsPerRow: rows.width) {
      range, arguments in
      let first = range.lowerBound * rows.width
      kernels.softmax(
        rows: range.count, classes: rows.width, x: arguments.x(0) + first,
        y: arguments.y(0) + first)
    }
  }

  private func reference<T: ReferenceScalar>(_ rows: Rows, _: T.Type) -> NodeKernel {
    T.referenceKernel("softmax.forward") { arguments in
      Reference.softmax(
        rows: rows.count, classes: rows.width, x: arguments.x(0, T.self), y: arguments.y(0, T.self))
    }
  }
}

extension SoftmaxGradient: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let rows = Rows(context.outputs[0])
    if let scalar = context.referenceType { return reference(rows, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    return context.rowwise("softmax.backward", rows: rows.count, elementsPerRow: rows.width) {
      range, arguments in
      let first = range.lowerBound * rows.width
      kernels.softmaxBackward(
        rows: range.count, classes: rows.width, dy: arguments.x(0) + first,
        y: arguments.x(1) + first, dx: arguments.y(0) + first, streams: streams)
    }
  }

  private func reference<T: ReferenceScalar>(_ rows: Rows, _: T.Type) -> NodeKernel {
    T.referenceKernel("softmax.backward") { arguments in
      Reference.softmaxBackward(
        rows: rows.count, classes: rows.width, dy: arguments.x(0, T.self),
        y: arguments.x(1, T.self), dx: arguments.y(0, T.self))
    }
  }
}

/// A tensor as rows of its last dimension.
private struct Rows: Sendable {
  let count: Int
  let width: Int

  init(_ type: TensorType) {
    width = type.shape.dimensions.last ?? 1
    count = width == 0 ? 0 : type.shape.count / width
  }
}

extension SoftmaxCrossEntropy: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let rows = Rows(context.inputs[0])
    let location = context.location
    if let scalar = context.referenceType { return reference(rows, location, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let factor = Float(reduction.factor(rows.count))
    let smoothing = Float(labelSmoothing)
    var kernel = context.rowwise(
      "softmax_cross_entropy.forward", rows: rows.count, elementsPerRow: rows.width
    ) { range, arguments in
      let labels = arguments.x(1, Int32.self)
      try checkLabels(labels, range, classes: rows.width, at: location)
      let first = range.lowerBound * rows.width
      kernels.softmaxCrossEntropy(
        rows: range.count, classes: rows.width, x: arguments.x(0) + first,
        labels: labels + range.lowerBound, losses: arguments.workspaceFloats + range.lowerBound,
        probabilities: arguments.y(1) + first)
      guard smoothing > 0 else { return }
      // The sum of t x is that of the label, brought nearer to the mean.
      for row in range {
        let logits = arguments.x(0) + row * rows.width
        let mean = kernels.sum(count: rows.width, x: logits) / Float(rows.width)
        arguments.workspaceFloats[row] += smoothing * (logits[Int(labels[row])] - mean)
      }
    }
    kernel.workspaceByteCount = rows.count * MemoryLayout<Float>.stride
    kernel.phases.append(
      NodeKernel.Phase(taskCount: 1) { _, arguments in
        arguments.y(0).pointee =
          factor * kernels.sum(count: rows.count, x: arguments.workspaceFloats)
      })
    return kernel
  }

  private func reference<T: ReferenceScalar>(_ rows: Rows, _ location: String, _: T.Type)
    -> NodeKernel
  {
    let factor = T(reduction.factor(rows.count))
    let smoothing = labelSmoothing
    var kernel = T.referenceKernel("softmax_cross_entropy.forward") { arguments in
      let labels = arguments.x(1, Int32.self)
      try checkLabels(labels, 0..<rows.count, classes: rows.width, at: location)
      let losses = arguments.workspace.assumingMemoryBound(to: T.self)
      guard let start = losses.baseAddress else { return }
      Reference.softmaxCrossEntropy(
        rows: rows.count, classes: rows.width, x: arguments.x(0, T.self), labels: labels,
        smoothing: smoothing, losses: start, probabilities: arguments.y(1, T.self))
      arguments.y(0, T.self).pointee = factor * Reference.sum(count: rows.count, x: start)
    }
    kernel.workspaceByteCount = rows.count * MemoryLayout<T>.stride
    return kernel
  }
}

/// - Throws: ``TesseraError/Code/invalidData`` naming the first label outside 0..<classes.
private func checkLabels(
  _ labels: UnsafePointer<Int32>, _ rows: Range<Int>, classes: Int, at location: String
) throws(TesseraError) {
  for row in rows where labels[row] < 0 || Int(labels[row]) >= classes {
    throw TesseraError(
      .invalidData, at: "\(location), label \(row)", expected: "0 to \(classes - 1)",
      found: "\(labels[row])")
  }
}

extension SoftmaxCrossEntropyGradient: KernelOperation {
  /// Operands: [dloss, probabilities, labels]; the labels were checked by the forward node.
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let rows = Rows(context.outputs[0])
    if let scalar = context.referenceType { return reference(rows, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    let factor = Float(reduction.factor(rows.count))
    let smoothing = Float(labelSmoothing)
    return context.rowwise(
      "softmax_cross_entropy.backward", rows: rows.count, elementsPerRow: rows.width
    ) { range, arguments in
      let first = range.lowerBound * rows.width
      let scale = factor * arguments.x(0).pointee
      let labels = arguments.x(2, Int32.self) + range.lowerBound
      let dx = arguments.y(0) + first
      kernels.softmaxCrossEntropyBackward(
        rows: range.count, classes: rows.width, probabilities: arguments.x(1) + first, labels: labels,
        factor: scale, dx: dx, streams: streams && smoothing == 0)
      guard smoothing > 0 else { return }
      kernels.affine(
        count: range.count * rows.width, factor: 1, offset: -scale * smoothing / Float(rows.width), x: dx, y: dx,
        streams: false)
      for row in 0..<range.count { dx[row * rows.width + Int(labels[row])] += scale * smoothing }
    }
  }

  private func reference<T: ReferenceScalar>(_ rows: Rows, _: T.Type) -> NodeKernel {
    let factor = reduction.factor(rows.count)
    let smoothing = labelSmoothing
    return T.referenceKernel("softmax_cross_entropy.backward") { arguments in
      Reference.softmaxCrossEntropyBackward(
        rows: rows.count, classes: rows.width, probabilities: arguments.x(1, T.self),
        labels: arguments.x(2, Int32.self), smoothing: smoothing,
        factor: factor * Double(arguments.x(0, T.self).pointee),
        dx: arguments.y(0, T.self))
    }
  }
}

extension MeanSquaredError: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let chunks = Chunks(context.inputs[0].shape.count)
    if let scalar = context.referenceType { return reference(chunks.count, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let factor = Float(reduction.factor(chunks.count))
    return NodeKernel(
      name: context.kernelName("mean_squared_error.forward"),
      workspaceByteCount: chunks.taskCount * MemoryLayout<Float>.stride,
      phases: [
        NodeKernel.Phase(taskCount: chunks.taskCount) { tasks, arguments in
          for task in tasks {
            let range = chunks.elements(task..<task + 1)
            arguments.workspaceFloats[task] = kernels.squaredDistance(
              count: range.count, a: arguments.x(0) + range.lowerBound, b: arguments.x(1) + range.lowerBound)
          }
        },
        NodeKernel.Phase(taskCount: 1) { _, arguments in
          arguments.y(0).pointee = factor * kernels.sum(count: chunks.taskCount, x: arguments.workspaceFloats)
        },
      ])
  }

  private func reference<T: ReferenceScalar>(_ count: Int, _: T.Type) -> NodeKernel {
    let factor = T(reduction.factor(count))
    return T.referenceKernel("mean_squared_error.forward") { arguments in
      arguments.y(0, T.self).pointee =
        factor * Reference.squaredDistance(count: count, a: arguments.x(0, T.self), b: arguments.x(1, T.self))
    }
  }
}

extension MeanSquaredErrorGradient: KernelOperation {
  /// Operands: [dloss, x, target].
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let count = context.outputs[0].shape.count
    let factor = 2 * reduction.factor(count)
    if let scalar = context.referenceType { return reference(count, factor, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    return context.elementwise("mean_squared_error.backward", count: count) { range, arguments in
      let first = range.lowerBound
      kernels.scaledDifference(
        count: range.count, factor: Float(factor) * arguments.x(0).pointee, a: arguments.x(1) + first,
        b: arguments.x(2) + first, y: arguments.y(0) + first, streams: streams)
    }
  }

  private func reference<T: ReferenceScalar>(_ count: Int, _ factor: Double, _: T.Type) -> NodeKernel {
    T.referenceKernel("mean_squared_error.backward") { arguments in
      Reference.scaledDifference(
        count: count, factor: factor * Double(arguments.x(0, T.self).pointee), a: arguments.x(1, T.self),
        b: arguments.x(2, T.self), y: arguments.y(0, T.self))
    }
  }
}

extension SumAll: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let chunks = Chunks(context.inputs[0].shape.count)
    if let scalar = context.referenceType { return reference(chunks.count, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    return NodeKernel(
      name: context.kernelName("sum"),
      workspaceByteCount: chunks.taskCount * MemoryLayout<Float>.stride,
      phases: [
        NodeKernel.Phase(taskCount: chunks.taskCount) { tasks, arguments in
          for task in tasks {
            let range = chunks.elements(task..<task + 1)
            arguments.workspaceFloats[task] = kernels.sum(
              count: range.count, x: arguments.x(0) + range.lowerBound)
          }
        },
        NodeKernel.Phase(taskCount: 1) { _, arguments in
          arguments.y(0).pointee = kernels.sum(
            count: chunks.taskCount, x: arguments.workspaceFloats)
        },
      ])
  }

  private func reference<T: ReferenceScalar>(_ count: Int, _: T.Type) -> NodeKernel {
    T.referenceKernel("sum") { arguments in
      arguments.y(0, T.self).pointee = Reference.sum(count: count, x: arguments.x(0, T.self))
    }
  }
}
