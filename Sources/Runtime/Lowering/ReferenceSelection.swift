import TesseraGraph
import TesseraKernels

/// An element type that the reference kernels compute in.
protocol ReferenceScalar: TensorElement, BinaryFloatingPoint {
  /// As in kernel names.
  static var shortName: String { get }
}

extension Float: ReferenceScalar { static var shortName: String { "f32" } }
extension Double: ReferenceScalar { static var shortName: String { "f64" } }

extension KernelContext {
  /// The element type whose reference kernel must serve, nil where a fast one does: those exist for float32.
  func referenceType(_ element: ElementType) -> (any ReferenceScalar.Type)? {
    switch element {
    case .float64: Double.self
    case .float32: usesReferenceKernels ? Float.self : nil
    default: nil
    }
  }

  /// The same for the first operand's type.
  var referenceType: (any ReferenceScalar.Type)? { inputs.first.flatMap { referenceType($0.element) } }

  /// The type of elements that have to be numbers with a fraction, where one loop serves all such.
  /// - Throws: ``unsupported(_:)`` for others.
  func floatType(
    _ element: ElementType, of operation: any Operation
  ) throws(TesseraError) -> any ReferenceScalar.Type {
    switch element {
    case .float32: Float.self
    case .float64: Double.self
    default: throw unsupported(operation)
    }
  }

  func kernelName(_ operation: String) -> String { "\(operation).f32.\(instructionSet.name)" }

  /// Whether results are written past the caches: together with the operands they don't fit the last one, and no epilogue
  /// reads them again.
  var streams: Bool {
    epilogue == Epilogue() && (inputs + outputs).reduce(0) { $0 + $1.byteCount } > caches.level3Bytes
  }

  /// An element-wise kernel over `count` floats.
  /// - Parameter isUpdate: whether it has several results, which stand in place of variables.
  func elementwise(
    _ operation: String, count: Int, isUpdate: Bool = false,
    _ run: @escaping @Sendable (Range<Int>, KernelArguments) -> Void
  ) -> NodeKernel {
    let chunks = Chunks(count)
    let epilogue = EpilogueOperands(self)
    var kernel = NodeKernel(name: kernelName(operation), taskCount: chunks.taskCount) { tasks, arguments in
      epilogue.forEachPart(of: chunks.elements(tasks), width: 1, arguments) { run($0, arguments) }
    }
    // Those of an epilogue are read after the result was written.
    kernel.overwritableInputs = isUpdate ? [] : Array(inputs.indices)
    return kernel
  }

  /// A kernel over rows (of a matrix, or of images), as many a task as make some microseconds of work.
  func rowwise(
    _ operation: String, rows: Int, elementsPerRow: Int,
    _ run: @escaping @Sendable (Range<Int>, KernelArguments) throws -> Void
  ) -> NodeKernel {
    let chunks = Chunks(rows, perTask: Chunks.elementsPerTask / max(1, elementsPerRow))
    let epilogue = EpilogueOperands(self)
    let width = outputs[0].shape.count / max(1, rows)
    return NodeKernel(name: kernelName(operation), taskCount: chunks.taskCount) { tasks, arguments in
      try epilogue.forEachPart(of: chunks.elements(tasks), width: width, arguments) { try run($0, arguments) }
    }
  }
}

extension ReferenceScalar {
  /// A reference kernel: one task, plain loops.
  static func referenceKernel(
    _ operation: String, _ run: @escaping @Sendable (KernelArguments) throws -> Void
  ) -> NodeKernel {
    NodeKernel(name: "\(operation).\(shortName).reference", taskCount: 1) { _, arguments in
      try run(arguments)
    }
  }
}
