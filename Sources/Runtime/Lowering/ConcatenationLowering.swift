public import TesseraGraph

extension ConcatenateOperation: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let copy = RowCopy(context.outputs[0])
    let widths = context.inputs.map { RowCopy($0).rowByteCount }
    return copy.kernel("concatenate") { rows, arguments in
      // Operand by operand: a task's rows of y are small enough to stay in a near cache until they are complete.
      var y = arguments.y(0, UInt8.self)
      for (index, width) in widths.enumerated() {
        RowCopy.copy(
          rows, byteCount: width, from: arguments.x(index, UInt8.self), step: width, to: y, step: copy.rowByteCount)
        y += width
      }
    }
  }
}

extension ChannelSlice: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let (input, output) = (RowCopy(context.inputs[0]).rowByteCount, RowCopy(context.outputs[0]))
    let offset = channels.lowerBound * context.inputs[0].element.byteCount
    return output.kernel("channel_slice") { rows, arguments in
      RowCopy.copy(
        rows, byteCount: output.rowByteCount, from: arguments.x(0, UInt8.self) + offset, step: input,
        to: arguments.y(0, UInt8.self), step: output.rowByteCount)
    }
  }
}

/// The rows of a tensor, a row being what the last dimension counts. All element types are copied as bytes.
private struct RowCopy: Sendable {
  let rowByteCount: Int
  private let rowCount: Int

  init(_ type: TensorType) {
    let channels = type.shape.dimensions.last ?? 1
    rowByteCount = channels * type.element.byteCount
    rowCount = channels == 0 ? 0 : type.shape.count / channels
  }

  /// A kernel whose tasks are some rows each.
  func kernel(_ name: String, _ run: @escaping @Sendable (Range<Int>, KernelArguments) -> Void) -> NodeKernel {
    let chunks = Chunks(rowCount, perTask: 4 * Chunks.elementsPerTask / max(1, rowByteCount))
    return NodeKernel(name: name, taskCount: chunks.taskCount) { tasks, arguments in
      run(chunks.elements(tasks), arguments)
    }
  }

  /// The first bytes of each of the rows; steps are from row to row.
  static func copy(
    _ rows: Range<Int>, byteCount: Int, from x: UnsafePointer<UInt8>, step xStep: Int,
    to y: UnsafeMutablePointer<UInt8>, step yStep: Int
  ) {
    for row in rows { (y + row &* yStep).update(from: x + row &* xStep, count: byteCount) }
  }
}
