public import TesseraGraph
import TesseraKernels

extension ReshapeOperation: ViewOperation {}

extension Transpose: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let (input, output) = (context.inputs[0], context.outputs[0])
    let walk = StridedWalk(output.shape, input.shape, permutation)
    let name = "transpose.\(input.element)"
    switch input.element.byteCount {
    case 1: return Self.kernel(name, walk, UInt8.self)
    case 4: return Self.kernel(name, walk, UInt32.self)
    case 8: return Self.kernel(name, walk, UInt64.self)
    default: throw context.unsupported(self)
    }
  }

  private static func kernel<Word: BitwiseCopyable>(
    _ name: String, _ walk: StridedWalk, _: Word.Type
  ) -> NodeKernel {
    let chunks = Chunks(walk.count)
    return NodeKernel(name: name, taskCount: chunks.taskCount) { tasks, arguments in
      let (x, y) = (arguments.x(0, Word.self), arguments.y(0, Word.self))
      walk.forEach(in: chunks.elements(tasks)) { output, input in y[output] = x[input] }
    }
  }
}

/// The elements of a transposed tensor in order, with the place in the original that each comes from.
struct StridedWalk: Sendable {
  let count: Int
  private let rank: Int
  private var sizes = InlineArray<8, Int>(repeating: 1)
  private var strides = InlineArray<8, Int>(repeating: 0)

  /// Dimension i of the output is dimension permutation[i] of the input.
  init(_ output: Shape, _ input: Shape, _ permutation: [Int]) {
    count = output.count
    rank = output.rank
    var inputStrides = [Int](repeating: 1, count: input.rank)
    for axis in input.dimensions.indices.dropLast().reversed() {
      inputStrides[axis] = inputStrides[axis + 1] * input[axis + 1]
    }
    for axis in 0..<rank {
      sizes[axis] = output[axis]
      strides[axis] = inputStrides[permutation[axis]]
    }
  }

  @inline(__always)
  func forEach(in range: Range<Int>, _ body: (_ output: Int, _ input: Int) -> Void) {
    guard !range.isEmpty else { return }
    var coordinates = InlineArray<8, Int>(repeating: 0)
    var rest = range.lowerBound
    var input = 0
    var axis = rank - 1
    while axis >= 0 {
      coordinates[axis] = rest % sizes[axis]
      rest /= sizes[axis]
      input += coordinates[axis] * strides[axis]
      axis -= 1
    }
    for output in range {
      body(output, input)
      axis = rank - 1
      while axis >= 0 {
        coordinates[axis] += 1
        input += strides[axis]
        if coordinates[axis] < sizes[axis] { break }
        input -= sizes[axis] * strides[axis]
        coordinates[axis] = 0
        axis -= 1
      }
    }
  }
}

extension Broadcast: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    try Self.kernel(context, context.floatType(context.outputs[0].element, of: self))
  }

  private static func kernel<T: TensorElement>(_ context: KernelContext, _: T.Type) -> NodeKernel {
    let chunks = Chunks(context.outputs[0].shape.count)
    return NodeKernel(name: "broadcast.\(T.elementType)", taskCount: chunks.taskCount) {
      tasks, arguments in
      let range = chunks.elements(tasks)
      (arguments.y(0, T.self) + range.lowerBound)
        .update(repeating: arguments.x(0, T.self).pointee, count: range.count)
    }
  }
}

extension Convert: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let count = context.outputs[0].shape.count
    switch (context.inputs[0].element, context.outputs[0].element) {
    case (.uint8, .float32) where !context.usesReferenceKernels:
      let kernels = context.kernels
      let (factor, offset) = (Float(factor), Float(offset))
      return context.elementwise("convert.u8", count: count) { range, arguments in
        kernels.affine(
          count: range.count, factor: factor, offset: offset,
          bytes: arguments.x(0, UInt8.self) + range.lowerBound,
          y: arguments.y(0) + range.lowerBound)
      }
    case (.uint8, .float32): return reference(count) { (x: UInt8) in Float(x) }
    case (.uint8, .float64): return reference(count) { (x: UInt8) in Double(x) }
    case (.int32, .float32): return reference(count) { (x: Int32) in Float(x) }
    case (.int32, .float64): return reference(count) { (x: Int32) in Double(x) }
    case (.int64, .float32): return reference(count) { (x: Int64) in Float(x) }
    case (.int64, .float64): return reference(count) { (x: Int64) in Double(x) }
    case (.bool, .float32): return reference(count) { (x: Bool) in x ? Float(1) : 0 }
    case (.bool, .float64): return reference(count) { (x: Bool) in x ? Double(1) : 0 }
    case (.float32, .float64): return reference(count) { (x: Float) in Double(x) }
    case (.float64, .float32): return reference(count) { (x: Double) in Float(x) }
    case (.float32, .float32): return reference(count) { (x: Float) in x }
    case (.float64, .float64): return reference(count) { (x: Double) in x }
    default: throw context.unsupported(self)
    }
  }

  private func reference<Source: TensorElement, Target: ReferenceScalar>(
    _ count: Int, _ convert: @escaping @Sendable (Source) -> Target
  ) -> NodeKernel {
    let (factor, offset) = (Target(factor), Target(offset))
    let chunks = Chunks(count)
    return NodeKernel(
      name: "convert.\(Source.elementType).\(Target.elementType)", taskCount: chunks.taskCount
    ) { tasks, arguments in
      let (x, y) = (arguments.x(0, Source.self), arguments.y(0, Target.self))
      for index in chunks.elements(tasks) { y[index] = factor * convert(x[index]) + offset }
    }
  }
}
