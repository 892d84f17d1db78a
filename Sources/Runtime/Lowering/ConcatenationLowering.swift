public import TesseraGraph

extension ConcatenateOperation: StridedKernel {
  func readsStrided(_ operand: Int) -> Bool { true }
  var writesStrided: Bool { true }

  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    var parts: [(operand: Int, offset: Int, byteCount: Int, step: Int)] = []
    var offset = 0
    for (operand, type) in context.inputs.enumerated() {
      let byteCount = type.rowByteCount
      if !context.inputsInPlace.contains(operand) {
        parts.append((operand, offset, byteCount, context.pitch(ofInput: operand) * type.element.byteCount))
      }
      offset += byteCount
    }
    if parts.isEmpty { return NodeKernel(name: "concatenate.in_place", phases: []) }
    let (copied, step) = (parts, context.outputPitchByteCount)
    return RowCopy.kernel("concatenate", context.outputs[0]) { rows, arguments in
      // Operand by operand: a task's rows of y are small enough to stay in a near cache until they are complete.
      for part in copied {
        RowCopy.copy(
          rows, byteCount: part.byteCount, from: arguments.x(part.operand, UInt8.self), step: part.step,
          to: arguments.y(0, UInt8.self) + part.offset, step: step)
      }
    }
  }
}

extension ChannelSlice: StridedKernel {
  func readsStrided(_ operand: Int) -> Bool { true }
  var writesStrided: Bool { true }

  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    if context.inputsInPlace == [0] { return NodeKernel(name: "channel_slice.in_place", phases: []) }
    let element = context.inputs[0].element.byteCount
    let (xStep, yStep) = (context.pitch(ofInput: 0) * element, context.outputPitchByteCount)
    let (offset, byteCount) = (channels.lowerBound * element, context.outputs[0].rowByteCount)
    return RowCopy.kernel("channel_slice", context.outputs[0]) { rows, arguments in
      RowCopy.copy(
        rows, byteCount: byteCount, from: arguments.x(0, UInt8.self) + offset, step: xStep,
        to: arguments.y(0, UInt8.self), step: yStep)
    }
  }
}

extension KernelContext {
  /// Bytes from one row of the first result to the next.
  fileprivate var outputPitchByteCount: Int {
    outputPitch.map { $0 * outputs[0].element.byteCount } ?? outputs[0].rowByteCount
  }
}

/// Copies rows. All element types are copied as bytes.
private enum RowCopy {
  /// A kernel whose tasks are some rows of a tensor each.
  static func kernel(
    _ name: String, _ type: TensorType, _ run: @escaping @Sendable (Range<Int>, KernelArguments) -> Void
  ) -> NodeKernel {
    let chunks = Chunks(type.rowCount, perTask: 4 * Chunks.elementsPerTask / max(1, type.rowByteCount))
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
