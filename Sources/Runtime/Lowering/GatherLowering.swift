public import TesseraGraph
import TesseraKernels

/// Which slice of x each index names: checked, and counted from the beginning.
private struct GatheredSlices<Index: BinaryInteger & Sendable>: Sendable {
  /// Slices of x and of y for each place before the axis.
  let size: Int
  let count: Int
  let location: String

  func place(_ number: Int, _ indices: UnsafePointer<Index>) throws(TesseraError) -> Int {
    // Compared before it is converted: an index may be larger than any size.
    let index = indices[number]
    guard index >= -size, index < size else {
      throw TesseraError(
        .invalidData, at: location, expected: "indices in \(-size)..<\(size)", found: "\(index)")
    }
    return index < 0 ? Int(index) + size : Int(index)
  }
}

extension KernelContext {
  /// The type of the second operand, which must be indices.
  fileprivate func indexType(of operation: any Operation) throws(TesseraError) -> any (BinaryInteger & Sendable).Type {
    switch inputs[1].element {
    case .int32: Int32.self
    case .int64: Int64.self
    default: throw unsupported(operation)
    }
  }
}

extension Gather: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    kernel(context, try context.indexType(of: self))
  }

  /// Slices are copied as bytes, some a task.
  private func kernel<Index: BinaryInteger & Sendable>(_ context: KernelContext, _: Index.Type) -> NodeKernel {
    let view = AxisView(context.inputs[0].shape, axis...axis)
    let slices = GatheredSlices<Index>(
      size: view.size, count: context.inputs[1].shape.count, location: context.location)
    let byteCount = view.inner * context.inputs[0].element.byteCount
    let chunks = Chunks(view.outer * slices.count, perTask: 4 * Chunks.elementsPerTask / max(1, byteCount))
    return NodeKernel(name: "gather", taskCount: chunks.taskCount) { tasks, arguments in
      let (x, indices, y) = (arguments.x(0, UInt8.self), arguments.x(1, Index.self), arguments.y(0, UInt8.self))
      for row in chunks.elements(tasks) {
        let place = try slices.place(row % slices.count, indices)
        (y + row * byteCount)
          .update(from: x + (row / slices.count * slices.size + place) * byteCount, count: byteCount)
      }
    }
  }
}

extension GatherGradient: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    try kernel(
      context, context.floatType(context.inputs[0].element, of: self), context.indexType(of: self))
  }

  /// A task is the slices of one place before the axis: those that share an index are added up by one.
  private func kernel<T: ReferenceScalar, Index: BinaryInteger & Sendable>(
    _ context: KernelContext, _: T.Type, _: Index.Type
  ) -> NodeKernel {
    let view = AxisView(shape, axis...axis)
    let slices = GatheredSlices<Index>(
      size: view.size, count: context.inputs[1].shape.count, location: context.location)
    let kernels = context.kernels
    return NodeKernel(name: "gather.backward.\(T.shortName)", taskCount: view.outer) { tasks, arguments in
      let (dy, indices, dx) = (arguments.x(0, T.self), arguments.x(1, Index.self), arguments.y(0, T.self))
      for task in tasks {
        let target = dx + task * view.size * view.inner
        target.update(repeating: 0, count: view.size * view.inner)
        for number in 0..<slices.count {
          let slice = target + (try slices.place(number, indices)) * view.inner
          let source = dy + (task * slices.count + number) * view.inner
          if let slice = slice as? UnsafeMutablePointer<Float>, let source = source as? UnsafePointer<Float> {
            kernels.addScaled(factor: 1, count: view.inner, x: source, y: slice)
          } else {
            for i in 0..<view.inner { slice[i] += source[i] }
          }
        }
      }
    }
  }
}
