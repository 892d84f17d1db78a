import TesseraGraph
import TesseraKernels

/// An operation whose output is its first input's memory, seen with another shape: it costs nothing.
protocol ViewOperation: Operation {}

/// An update whose kernel never fails and may write over the variables that its outputs replace, element by element.
protocol InPlaceUpdate: UpdateOperation {}

/// Copies bytes, cut into tasks.
struct CopyKernel {
  let byteCount: Int
  private static let chunkByteCount = 64 << 10

  var taskCount: Int { (byteCount + Self.chunkByteCount - 1) / Self.chunkByteCount }

  var run: @Sendable (Range<Int>, KernelArguments) throws -> Void {
    let byteCount = byteCount
    return { tasks, arguments in
      let first = tasks.lowerBound * Self.chunkByteCount
      let last = min(tasks.upperBound * Self.chunkByteCount, byteCount)
      guard first < last else { return }
      arguments.y(0, UInt8.self).advanced(by: first)
        .update(from: arguments.x(0, UInt8.self).advanced(by: first), count: last - first)
    }
  }
}

/// Fails the run, before anything is written, if a value isn't finite.
enum FiniteCheck {
  static func step(
    _ operand: Operand, _ element: ElementType, name: String, _ kernels: any KernelSet.Type
  ) throws(TesseraError) -> Step {
    let count = operand.byteCount / element.byteCount
    let chunks = Chunks(count)
    let run: @Sendable (Range<Int>, KernelArguments) throws -> Void
    switch element {
    case .float32:
      run = { tasks, arguments in
        let range = chunks.elements(tasks)
        if !kernels.allFinite(count: range.count, x: arguments.x(0) + range.lowerBound) {
          throw error(name)
        }
      }
    case .float64:
      run = { tasks, arguments in
        let range = chunks.elements(tasks)
        if !Reference.allFinite(
          count: range.count, x: arguments.x(0, Double.self) + range.lowerBound)
        {
          throw error(name)
        }
      }
    default:
      throw TesseraError(
        .elementTypeMismatch, at: name, expected: "a floating-point value to check",
        found: "\(element)")
    }
    return Step(
      name: "finite \(name)", kernelName: "all_finite", taskCount: chunks.taskCount,
      work: .kernel(run),
      operands: [operand, Operand(location: .arena(offset: 0), byteCount: 0)], inputCount: 1)
  }

  private static func error(_ name: String) -> TesseraError {
    TesseraError(.notFinite, at: name, expected: "finite values", found: "NaN or infinity")
  }
}

/// `count` elements cut into tasks of a fixed number of elements.
struct Chunks: Sendable {
  /// 16,384 floats are 64 KiB: some microseconds of work, and two of them fit the second-level cache many times over.
  static let elementsPerTask = 16_384

  let count: Int
  let perTask: Int

  init(_ count: Int, perTask: Int = Chunks.elementsPerTask) {
    self.count = count
    self.perTask = max(1, perTask)
  }

  var taskCount: Int { (count + perTask - 1) / perTask }

  func elements(_ tasks: Range<Int>) -> Range<Int> {
    let first = min(tasks.lowerBound * perTask, count)
    return first..<max(first, min(tasks.upperBound * perTask, count))
  }
}
