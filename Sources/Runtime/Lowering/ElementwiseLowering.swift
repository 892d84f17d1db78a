public import TesseraGraph
import TesseraKernels

/// The element-wise functions of two tensors of one shape.
private enum BinaryFunction: String, Sendable {
  case add, subtract, multiply

  func kernel(_ context: KernelContext, of operation: any Operation) throws(TesseraError)
    -> NodeKernel
  {
    let count = context.outputs[0].shape.count
    if let scalar = context.referenceType { return reference(count, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(operation) }
    let kernels = context.kernels
    let streams = context.streams
    let function = self
    return context.elementwise(rawValue, count: count) { range, arguments in
      let first = range.lowerBound
      let (a, b, y) = (arguments.x(0) + first, arguments.x(1) + first, arguments.y(0) + first)
      switch function {
      case .add: kernels.add(count: range.count, a: a, b: b, y: y, streams: streams)
      case .subtract: kernels.subtract(count: range.count, a: a, b: b, y: y, streams: streams)
      case .multiply: kernels.multiply(count: range.count, a: a, b: b, y: y, streams: streams)
      }
    }
  }

  private func reference<T: ReferenceScalar>(_ count: Int, _: T.Type) -> NodeKernel {
    let function = self
    return T.referenceKernel(rawValue) { arguments in
      let (a, b, y) = (arguments.x(0, T.self), arguments.x(1, T.self), arguments.y(0, T.self))
      switch function {
      case .add: Reference.add(count: count, a: a, b: b, y: y)
      case .subtract: Reference.subtract(count: count, a: a, b: b, y: y)
      case .multiply: Reference.multiply(count: count, a: a, b: b, y: y)
      }
    }
  }
}

extension Add: EpilogueKernel {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    try BinaryFunction.add.kernel(context, of: self)
  }
}

extension Subtract: EpilogueKernel {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    try BinaryFunction.subtract.kernel(context, of: self)
  }
}

extension Multiply: EpilogueKernel {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    try BinaryFunction.multiply.kernel(context, of: self)
  }
}

extension Affine: EpilogueKernel {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let count = context.outputs[0].shape.count
    if let scalar = context.referenceType { return reference(count, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    let (factor, offset) = (Float(factor), Float(offset))
    return context.elementwise("affine", count: count) { range, arguments in
      kernels.affine(
        count: range.count, factor: factor, offset: offset, x: arguments.x(0) + range.lowerBound,
        y: arguments.y(0) + range.lowerBound, streams: streams)
    }
  }

  private func reference<T: ReferenceScalar>(_ count: Int, _: T.Type) -> NodeKernel {
    let (factor, offset) = (factor, offset)
    return T.referenceKernel("affine") { arguments in
      Reference.affine(
        count: count, factor: factor, offset: offset, x: arguments.x(0, T.self),
        y: arguments.y(0, T.self))
    }
  }
}

extension Activate: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let count = context.outputs[0].shape.count
    let activation = Activation(function)
    if let scalar = context.referenceType { return reference(count, activation, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    return context.elementwise("activation.forward", count: count) { range, arguments in
      kernels.activate(
        activation, count: range.count, x: arguments.x(0) + range.lowerBound,
        y: arguments.y(0) + range.lowerBound, streams: streams)
    }
  }

  private func reference<T: ReferenceScalar>(_ count: Int, _ activation: Activation, _: T.Type)
    -> NodeKernel
  {
    T.referenceKernel("activation.forward") { arguments in
      Reference.activate(
        activation, count: count, x: arguments.x(0, T.self), y: arguments.y(0, T.self))
    }
  }
}

extension ActivationGradient: StridedKernel {
  func readsStrided(_ operand: Int) -> Bool { true }
  var writesStrided: Bool { false }

  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let count = context.outputs[0].shape.count
    let activation = Activation(function)
    if let scalar = context.referenceType { return reference(count, activation, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    if !context.inputPitches.isEmpty { return rowwise(context, activation) }
    return context.elementwise("activation.backward", count: count) { range, arguments in
      let first = range.lowerBound
      kernels.activateBackward(
        activation, count: range.count, dy: arguments.x(0) + first, y: arguments.x(1) + first,
        dz: arguments.y(0) + first, streams: streams)
    }
  }

  /// Row by row, where those of an operand lie apart.
  private func rowwise(_ context: KernelContext, _ activation: Activation) -> NodeKernel {
    let kernels = context.kernels
    let streams = context.streams
    let (rows, channels) = (context.outputs[0].rowCount, context.outputs[0].rowWidth)
    let (dyPitch, yPitch) = (context.pitch(ofInput: 0), context.pitch(ofInput: 1))
    return context.rowwise("activation.backward", rows: rows, elementsPerRow: channels) { rows, arguments in
      for row in rows {
        kernels.activateBackward(
          activation, count: channels, dy: arguments.x(0) + row * dyPitch, y: arguments.x(1) + row * yPitch,
          dz: arguments.y(0) + row * channels, streams: streams)
      }
    }
  }

  private func reference<T: ReferenceScalar>(_ count: Int, _ activation: Activation, _: T.Type)
    -> NodeKernel
  {
    T.referenceKernel("activation.backward") { arguments in
      Reference.activateBackward(
        activation, count: count, dy: arguments.x(0, T.self), y: arguments.x(1, T.self),
        dz: arguments.y(0, T.self))
    }
  }
}

extension DropoutOperation: EpilogueKernel {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let count = context.outputs[0].shape.count
    if let scalar = context.referenceType { return reference(count, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    let (probability, stream) = (probability, stream)
    return context.elementwise("dropout", count: count) { range, arguments in
      let seed = UInt64(bitPattern: arguments.x(1, Int64.self).pointee)
      let step = UInt64(bitPattern: arguments.x(2, Int64.self).pointee)
      kernels.dropout(
        first: range.lowerBound, count: range.count, probability: probability,
        key: DropoutKey(seed: seed, stream: stream), step: step,
        x: arguments.x(0) + range.lowerBound, y: arguments.y(0) + range.lowerBound, streams: streams)
    }
  }

  private func reference<T: ReferenceScalar>(_ count: Int, _: T.Type) -> NodeKernel {
    let (probability, stream) = (probability, stream)
    return T.referenceKernel("dropout") { arguments in
      let seed = UInt64(bitPattern: arguments.x(1, Int64.self).pointee)
      let step = UInt64(bitPattern: arguments.x(2, Int64.self).pointee)
      Reference.dropout(
        first: 0, count: count, probability: probability,
        key: DropoutKey(seed: seed, stream: stream), step: step, x: arguments.x(0, T.self),
        y: arguments.y(0, T.self))
    }
  }
}
