public import TesseraGraph
import TesseraKernels

extension FoldFunction {
  init(_ function: ReductionFunction) {
    switch function.kind {
    case .sum: self = .sum
    case .maximum: self = .maximum
    case .minimum: self = .minimum
    case .product: self = .product
    }
  }
}

/// A tensor as [outer, size, inner] around one dimension, or around several that follow each other.
struct AxisView: Sendable {
  let outer: Int
  let size: Int
  let inner: Int

  init(_ shape: Shape, _ axes: ClosedRange<Int>) {
    outer = shape.dimensions[..<axes.lowerBound].reduce(1, *)
    size = shape.dimensions[axes].reduce(1, *)
    inner = shape.dimensions[(axes.upperBound + 1)...].reduce(1, *)
  }
}

extension Reduce: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    // The graph has taken reductions apart, so that axes follow each other.
    let view = AxisView(context.inputs[0].shape, (axes.first ?? 0)...(axes.last ?? 0))
    let function = FoldFunction(function)
    if let scalar = context.referenceType { return Self.reference(function, view, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let identity = Float(Reference.identity(function))
    // Columns a task: a few rows of them, or a part of one.
    let columns = max(1, min(view.inner, Chunks.elementsPerTask / max(1, view.size)))
    let perRow = view.inner == 0 ? 0 : (view.inner + columns - 1) / columns
    let chunks = Chunks(
      view.outer * perRow, perTask: Chunks.elementsPerTask / max(1, columns * max(1, view.size)))
    return NodeKernel(name: context.kernelName(name), taskCount: chunks.taskCount) { tasks, arguments in
      let (x, y) = (arguments.x(0), arguments.y(0))
      for chunk in chunks.elements(tasks) {
        let (row, first) = (chunk / perRow, chunk % perRow * columns)
        let width = min(columns, view.inner - first)
        let target = y + (row * view.inner + first)
        guard view.size > 0 else {
          target.update(repeating: identity, count: width)
          continue
        }
        kernels.fold(
          function, rows: view.size, width: width, x: x + (row * view.size * view.inner + first),
          rowStep: view.inner, y: target)
      }
    }
  }

  private static func reference<T: ReferenceScalar>(_ function: FoldFunction, _ view: AxisView, _: T.Type)
    -> NodeKernel
  {
    T.referenceKernel("reduce") { arguments in
      let (x, y) = (arguments.x(0, T.self), arguments.y(0, T.self))
      for row in 0..<view.outer {
        for column in 0..<view.inner {
          var result = Reference.identity(function)
          for i in 0..<view.size {
            result = Reference.folded(function, Double(x[(row * view.size + i) * view.inner + column]), result)
          }
          y[row * view.inner + column] = T(result)
        }
      }
    }
  }
}

extension ArgMax: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    try kernel(context, context.floatType(context.inputs[0].element, of: self))
  }

  private func kernel<T: ReferenceScalar>(_ context: KernelContext, _: T.Type) -> NodeKernel {
    let view = AxisView(context.inputs[0].shape, axis...axis)
    let selectsLast = selectsLast
    let chunks = Chunks(view.outer * view.inner, perTask: Chunks.elementsPerTask / view.size)
    return NodeKernel(name: "arg_max.\(T.shortName)", taskCount: chunks.taskCount) { tasks, arguments in
      let (x, y) = (arguments.x(0, T.self), arguments.y(0, Int64.self))
      for element in chunks.elements(tasks) {
        let start = x + (element / view.inner * view.size * view.inner + element % view.inner)
        var (best, place) = (start[0], 0)
        for i in 1..<max(view.size, 1) where !best.isNaN {
          let value = start[i * view.inner]
          if value > best || value.isNaN || (selectsLast && value == best) { (best, place) = (value, i) }
        }
        y[element] = Int64(place)
      }
    }
  }
}
