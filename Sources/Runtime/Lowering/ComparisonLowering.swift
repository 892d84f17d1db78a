public import TesseraGraph

extension Compare: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    switch context.inputs[0].element {
    case .float32: kernel(context, Float.self)
    case .float64: kernel(context, Double.self)
    case .int32: kernel(context, Int32.self)
    case .int64: kernel(context, Int64.self)
    case .uint8: kernel(context, UInt8.self)
    default: throw context.unsupported(self)
    }
  }

  private func kernel<T: TensorElement & Comparable>(_ context: KernelContext, _: T.Type) -> NodeKernel {
    let comparison = comparison
    let chunks = Chunks(context.outputs[0].shape.count)
    return NodeKernel(name: "\(name).\(T.elementType)", taskCount: chunks.taskCount) { tasks, arguments in
      let (a, b, y) = (arguments.x(0, T.self), arguments.x(1, T.self), arguments.y(0, Bool.self))
      let range = chunks.elements(tasks)
      switch comparison {
      case .equal: for i in range { y[i] = a[i] == b[i] }
      case .less: for i in range { y[i] = a[i] < b[i] }
      case .lessOrEqual: for i in range { y[i] = a[i] <= b[i] }
      case .greater: for i in range { y[i] = a[i] > b[i] }
      case .greaterOrEqual: for i in range { y[i] = a[i] >= b[i] }
      }
    }
  }
}

extension Choose: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    try Self.kernel(context, context.floatType(context.outputs[0].element, of: self))
  }

  private static func kernel<T: TensorElement>(_ context: KernelContext, _: T.Type) -> NodeKernel {
    let chunks = Chunks(context.outputs[0].shape.count)
    return NodeKernel(name: "choose.\(T.elementType)", taskCount: chunks.taskCount) { tasks, arguments in
      let condition = arguments.x(0, Bool.self)
      let (a, b, y) = (arguments.x(1, T.self), arguments.x(2, T.self), arguments.y(0, T.self))
      for i in chunks.elements(tasks) { y[i] = condition[i] ? a[i] : b[i] }
    }
  }
}
