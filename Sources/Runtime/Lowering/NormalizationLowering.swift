public import TesseraGraph
import TesseraKernels

/// Rows of a matrix cut into chunks for a reduction. Their number depends on the sizes only: at most 256 partial
/// results.
private struct RowChunks: Sendable {
  let rows: Int
  let channels: Int
  let perChunk: Int

  init(_ type: TensorType) {
    (rows, channels) = (type.rowCount, type.rowWidth)
    perChunk = max(1, Chunks.elementsPerTask / max(1, channels), (rows + 255) / 256)
  }

  var count: Int { (rows + perChunk - 1) / perChunk }

  func rows(_ chunk: Int) -> Range<Int> {
    rows(chunk..<chunk + 1)
  }

  /// The rows of neighbouring chunks.
  func rows(_ chunks: Range<Int>) -> Range<Int> {
    chunks.lowerBound * perChunk..<min(chunks.upperBound * perChunk, rows)
  }
}

extension ChannelSum: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let chunks = RowChunks(context.inputs[0])
    if let scalar = context.referenceType { return reference(chunks, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let channels = chunks.channels
    return NodeKernel(
      name: context.kernelName("channel_sum"),
      workspaceByteCount: chunks.count * channels * MemoryLayout<Float>.stride,
      phases: [
        NodeKernel.Phase(taskCount: chunks.count) { tasks, arguments in
          for chunk in tasks {
            let rows = chunks.rows(chunk)
            kernels.channelSums(
              rows: rows.count, channels: channels,
              x: arguments.x(0) + rows.lowerBound * channels,
              sums: arguments.workspaceFloats + chunk * channels)
          }
        },
        NodeKernel.Phase(taskCount: 1) { _, arguments in
          kernels.addPartials(
            chunks: chunks.count, count: channels, partials: arguments.workspaceFloats,
            result: arguments.y(0))
        },
      ])
  }

  private func reference<T: ReferenceScalar>(_ chunks: RowChunks, _: T.Type) -> NodeKernel {
    T.referenceKernel("channel_sum") { arguments in
      Reference.channelSums(
        rows: chunks.rows, channels: chunks.channels, x: arguments.x(0, T.self),
        sums: arguments.y(0, T.self))
    }
  }
}

extension BatchNormalization: EpilogueKernel, StridedKernel {
  func readsStrided(_ operand: Int) -> Bool { operand == 0 }
  var writesStrided: Bool { false }

  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let chunks = RowChunks(context.inputs[0])
    if let scalar = context.referenceType { return reference(chunks, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    let channels = chunks.channels
    let xPitch = context.pitch(ofInput: 0)
    let epsilon = Float(epsilon)
    let finish = EpilogueOperands(context)
    var kernel = NodeKernel(
      name: context.kernelName("batch_norm.forward"),
      workspaceByteCount: chunks.count * 2 * channels * MemoryLayout<Float>.stride,
      phases: [
        NodeKernel.Phase(taskCount: chunks.count) { tasks, arguments in
          for chunk in tasks {
            let rows = chunks.rows(chunk)
            kernels.channelMoments(
              rows: rows.count, channels: channels,
              x: arguments.x(0) + rows.lowerBound * xPitch, xPitch: xPitch,
              moments: arguments.workspaceFloats + chunk * 2 * channels)
          }
        },
        NodeKernel.Phase(taskCount: 1) { _, arguments in
          kernels.combineMoments(
            chunks: chunks.count, rowsPerChunk: chunks.perChunk, rows: chunks.rows,
            channels: channels, moments: arguments.workspaceFloats, mean: arguments.y(1),
            variance: arguments.y(2))
        },
        NodeKernel.Phase(taskCount: chunks.count) { tasks, arguments in
          finish.forEachPart(of: chunks.rows(tasks), width: channels, arguments) { rows in
            let first = rows.lowerBound * channels
            kernels.normalize(
              rows: rows.count, channels: channels, x: arguments.x(0) + rows.lowerBound * xPitch, xPitch: xPitch,
              mean: arguments.y(1), variance: arguments.y(2), scale: arguments.x(1),
              shift: arguments.x(2), epsilon: epsilon, y: arguments.y(0) + first, streams: streams)
          }
        },
      ])
    kernel.overwritableInputs = [0]
    return kernel
  }

  private func reference<T: ReferenceScalar>(_ chunks: RowChunks, _: T.Type) -> NodeKernel {
    let epsilon = epsilon
    return T.referenceKernel("batch_norm.forward") { arguments in
      Reference.channelMoments(
        rows: chunks.rows, channels: chunks.channels, x: arguments.x(0, T.self),
        mean: arguments.y(1, T.self), variance: arguments.y(2, T.self))
      Reference.normalize(
        rows: chunks.rows, channels: chunks.channels, x: arguments.x(0, T.self),
        mean: arguments.y(1, T.self), variance: arguments.y(2, T.self),
        scale: arguments.x(1, T.self), shift: arguments.x(2, T.self), epsilon: epsilon,
        y: arguments.y(0, T.self))
    }
  }
}

extension Normalize: EpilogueKernel, StridedKernel {
  func readsStrided(_ operand: Int) -> Bool { operand == 0 }
  var writesStrided: Bool { false }

  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let chunks = RowChunks(context.inputs[0])
    if let scalar = context.referenceType { return reference(chunks, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    let channels = chunks.channels
    let xPitch = context.pitch(ofInput: 0)
    let epsilon = Float(epsilon)
    let finish = EpilogueOperands(context)
    var kernel = NodeKernel(name: context.kernelName("normalize.forward"), taskCount: chunks.count) {
      tasks, arguments in
      finish.forEachPart(of: chunks.rows(tasks), width: channels, arguments) { rows in
        let first = rows.lowerBound * channels
        kernels.normalize(
          rows: rows.count, channels: channels, x: arguments.x(0) + rows.lowerBound * xPitch, xPitch: xPitch,
          mean: arguments.x(1),
          variance: arguments.x(2), scale: arguments.x(3), shift: arguments.x(4),
          epsilon: epsilon, y: arguments.y(0) + first, streams: streams)
      }
    }
    kernel.overwritableInputs = [0]
    return kernel
  }

  private func reference<T: ReferenceScalar>(_ chunks: RowChunks, _: T.Type) -> NodeKernel {
    let epsilon = epsilon
    return T.referenceKernel("normalize.forward") { arguments in
      Reference.normalize(
        rows: chunks.rows, channels: chunks.channels, x: arguments.x(0, T.self),
        mean: arguments.x(1, T.self), variance: arguments.x(2, T.self),
        scale: arguments.x(3, T.self), shift: arguments.x(4, T.self), epsilon: epsilon,
        y: arguments.y(0, T.self))
    }
  }
}

extension BatchNormalizationGradient: EpilogueKernel, StridedKernel {
  func readsStrided(_ operand: Int) -> Bool { operand == 1 }
  var writesStrided: Bool { false }

  var takesEpilogue: Bool { includesInput }

  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    try NormalizationGradient(
      epsilon: epsilon, includesInput: includesInput, statisticsDependOnX: true
    ).kernel(context, of: self)
  }
}

extension NormalizeGradient: EpilogueKernel, StridedKernel {
  func readsStrided(_ operand: Int) -> Bool { operand == 1 }
  var writesStrided: Bool { false }

  var takesEpilogue: Bool { includesInput }

  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    try NormalizationGradient(
      epsilon: epsilon, includesInput: includesInput, statisticsDependOnX: false
    ).kernel(context, of: self)
  }
}

/// Both gradients of batch normalization: operands [dy, x, mean, variance, scale], results dscale and dshift, before
/// them dx if it is included. They differ in dx only, by whether mean and variance were computed from x.
private struct NormalizationGradient {
  let epsilon: Double
  let includesInput: Bool
  let statisticsDependOnX: Bool

  func kernel(_ context: KernelContext, of operation: any Operation) throws(TesseraError)
    -> NodeKernel
  {
    let chunks = RowChunks(context.inputs[0])
    if let scalar = context.referenceType { return reference(chunks, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(operation) }
    let kernels = context.kernels
    let streams = context.streams
    let channels = chunks.channels
    let xPitch = context.pitch(ofInput: 1)
    let epsilon = Float(epsilon)
    let statisticsDependOnX = statisticsDependOnX
    let dscale = includesInput ? 1 : 0
    let dshift = dscale + 1
    // After the partial sums of all chunks, the sums.
    let totals = chunks.count * 2 * channels
    var kernel = NodeKernel(
      name: context.kernelName("batch_norm.backward"),
      workspaceByteCount: (totals + 2 * channels) * MemoryLayout<Float>.stride,
      phases: [
        NodeKernel.Phase(taskCount: chunks.count) { tasks, arguments in
          for chunk in tasks {
            let rows = chunks.rows(chunk)
            let first = rows.lowerBound * channels
            kernels.normalizationGradientSums(
              rows: rows.count, channels: channels, x: arguments.x(1) + rows.lowerBound * xPitch, xPitch: xPitch,
              dy: arguments.x(0) + first, mean: arguments.x(2), variance: arguments.x(3),
              epsilon: epsilon, sums: arguments.workspaceFloats + chunk * 2 * channels)
          }
        },
        NodeKernel.Phase(taskCount: 1) { _, arguments in
          let sums = arguments.workspaceFloats + totals
          kernels.addPartials(
            chunks: chunks.count, count: 2 * channels, partials: arguments.workspaceFloats,
            result: sums)
          arguments.y(dshift).update(from: sums, count: channels)
          arguments.y(dscale).update(from: sums + channels, count: channels)
        },
      ])
    guard includesInput else { return kernel }
    let finish = EpilogueOperands(context)
    kernel.overwritableInputs = [0, 1]
    kernel.phases.append(
      NodeKernel.Phase(taskCount: chunks.count) { tasks, arguments in
        finish.forEachPart(of: chunks.rows(tasks), width: channels, arguments) { rows in
          let first = rows.lowerBound * channels
          if statisticsDependOnX {
            kernels.normalizeBackward(
              rows: rows.count, totalRows: chunks.rows, channels: channels,
              x: arguments.x(1) + rows.lowerBound * xPitch, xPitch: xPitch, dy: arguments.x(0) + first,
              mean: arguments.x(2), variance: arguments.x(3), scale: arguments.x(4), dscale: arguments.y(dscale),
              dshift: arguments.y(dshift), epsilon: epsilon, dx: arguments.y(0) + first, streams: streams)
          } else {
            kernels.normalizeBackwardFrozen(
              rows: rows.count, channels: channels, dy: arguments.x(0) + first,
              variance: arguments.x(3), scale: arguments.x(4), epsilon: epsilon,
              dx: arguments.y(0) + first, streams: streams)
          }
        }
      })
    return kernel
  }

  private func reference<T: ReferenceScalar>(_ chunks: RowChunks, _: T.Type) -> NodeKernel {
    let (epsilon, includesInput) = (epsilon, includesInput)
    let statisticsDependOnX = statisticsDependOnX
    return T.referenceKernel("batch_norm.backward") { arguments in
      let (dy, x) = (arguments.x(0, T.self), arguments.x(1, T.self))
      let (mean, variance, scale) = (
        arguments.x(2, T.self), arguments.x(3, T.self), arguments.x(4, T.self)
      )
      let dscale = arguments.y(includesInput ? 1 : 0, T.self)
      let dshift = arguments.y(includesInput ? 2 : 1, T.self)
      Reference.normalizationGradients(
        rows: chunks.rows, channels: chunks.channels, x: x, dy: dy, mean: mean, variance: variance,
        epsilon: epsilon, dscale: dscale, dshift: dshift)
      guard includesInput else { return }
      let dx = arguments.y(0, T.self)
      if statisticsDependOnX {
        Reference.normalizeBackward(
          rows: chunks.rows, channels: chunks.channels, x: x, dy: dy, mean: mean,
          variance: variance, scale: scale, dscale: dscale, dshift: dshift, epsilon: epsilon,
          dx: dx)
      } else {
        Reference.normalizeBackwardFrozen(
          rows: chunks.rows, channels: chunks.channels, dy: dy, variance: variance, scale: scale,
          epsilon: epsilon, dx: dx)
      }
    }
  }
}
