public import TesseraGraph
import TesseraKernels

// Normalizations whose statistics belong to a sample. How rows are cut into tasks, and with it the order of every sum,
// follows from the sizes alone.

extension LayerNormalization: EpilogueKernel {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let (rows, width) = (context.outputs[1].shape.count, context.inputs[1].shape.count)
    if let scalar = context.referenceType { return reference(rows, width, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let epsilon = Float(epsilon)
    var kernel = context.rowwise("layer_norm.forward", rows: rows, elementsPerRow: width) { rows, arguments in
      let first = rows.lowerBound
      kernels.layerNormalize(
        rows: rows.count, width: width, x: arguments.x(0) + first * width, scale: arguments.x(1), shift: arguments.x(2),
        epsilon: epsilon, y: arguments.y(0) + first * width, mean: arguments.y(1) + first,
        inverse: arguments.y(2) + first)
    }
    kernel.overwritableInputs = [0]
    return kernel
  }

  private func reference<T: ReferenceScalar>(_ rows: Int, _ width: Int, _: T.Type) -> NodeKernel {
    let epsilon = epsilon
    return T.referenceKernel("layer_norm.forward") { arguments in
      Reference.layerNormalize(
        rows: rows, width: width, x: arguments.x(0, T.self), scale: arguments.x(1, T.self),
        shift: arguments.x(2, T.self), epsilon: epsilon, y: arguments.y(0, T.self), mean: arguments.y(1, T.self),
        inverse: arguments.y(2, T.self))
    }
  }
}

extension LayerNormalizationGradient: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let (rows, width) = (context.inputs[2].shape.count, context.inputs[4].shape.count)
    if let scalar = context.referenceType { return reference(rows, width, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    // Each task has sums of its own for every element of a row: at most 64 of them.
    let chunks = Chunks(rows, perTask: max(Chunks.elementsPerTask / width, (rows + 63) / 64))
    let totals = chunks.taskCount * 2 * width
    var kernel = NodeKernel(
      name: context.kernelName("layer_norm.backward"),
      workspaceByteCount: (totals + 2 * width) * MemoryLayout<Float>.stride,
      phases: [
        NodeKernel.Phase(taskCount: chunks.taskCount) { tasks, arguments in
          for task in tasks {
            let rows = chunks.elements(task..<task + 1)
            let first = rows.lowerBound
            kernels.layerNormalizeBackward(
              rows: rows.count, width: width, dy: arguments.x(0) + first * width, x: arguments.x(1) + first * width,
              mean: arguments.x(2) + first, inverse: arguments.x(3) + first, scale: arguments.x(4),
              dx: arguments.y(0) + first * width, sums: arguments.workspaceFloats + task * 2 * width)
          }
        },
        NodeKernel.Phase(taskCount: 1) { _, arguments in
          let sums = arguments.workspaceFloats + totals
          kernels.addPartials(
            chunks: chunks.taskCount, count: 2 * width, partials: arguments.workspaceFloats, result: sums)
          arguments.y(2).update(from: sums, count: width)
          arguments.y(1).update(from: sums + width, count: width)
        },
      ])
    kernel.overwritableInputs = [0, 1]
    return kernel
  }

  private func reference<T: ReferenceScalar>(_ rows: Int, _ width: Int, _: T.Type) -> NodeKernel {
    T.referenceKernel("layer_norm.backward") { arguments in
      Reference.layerNormalizeBackward(
        rows: rows, width: width, dy: arguments.x(0, T.self), x: arguments.x(1, T.self), mean: arguments.x(2, T.self),
        inverse: arguments.x(3, T.self), scale: arguments.x(4, T.self), dx: arguments.y(0, T.self),
        dscale: arguments.y(1, T.self), dshift: arguments.y(2, T.self))
    }
  }
}

/// Samples of [rows, channels], each cut into chunks of rows: at most 64.
private struct SampleChunks: Sendable {
  let samples: Int
  let rows: Int
  let channels: Int
  let perChunk: Int
  let perSample: Int

  init(_ type: TensorType) {
    (samples, channels) = (type.shape[0], type.shape[type.shape.rank - 1])
    rows = type.shape.dimensions[1...].dropLast().reduce(1, *)
    perChunk = max(1, Chunks.elementsPerTask / max(1, channels), (rows + 63) / 64)
    perSample = (rows + perChunk - 1) / perChunk
  }

  var taskCount: Int { samples * perSample }

  /// The sample of a task, and its rows in that.
  func part(_ task: Int) -> (sample: Int, rows: Range<Int>) {
    let first = task % perSample * perChunk
    return (task / perSample, first..<min(first + perChunk, rows))
  }
}

extension GroupNormalization: EpilogueKernel {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let chunks = SampleChunks(context.inputs[0])
    if let scalar = context.referenceType { return reference(chunks, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let streams = context.streams
    let (channels, groups, epsilon) = (chunks.channels, groups, Float(epsilon))
    let finish = EpilogueOperands(context)
    var kernel = NodeKernel(
      name: context.kernelName("group_norm.forward"),
      workspaceByteCount: chunks.taskCount * 2 * channels * MemoryLayout<Float>.stride,
      phases: [
        NodeKernel.Phase(taskCount: chunks.taskCount) { tasks, arguments in
          for task in tasks {
            let (sample, rows) = chunks.part(task)
            kernels.channelMoments(
              rows: rows.count, channels: channels,
              x: arguments.x(0) + (sample * chunks.rows + rows.lowerBound) * channels, xPitch: channels,
              moments: arguments.workspaceFloats + task * 2 * channels)
          }
        },
        NodeKernel.Phase(taskCount: chunks.samples) { samples, arguments in
          for sample in samples {
            let (mean, variance) = (arguments.y(1) + sample * channels, arguments.y(2) + sample * channels)
            kernels.combineMoments(
              chunks: chunks.perSample, rowsPerChunk: chunks.perChunk, rows: chunks.rows, channels: channels,
              moments: arguments.workspaceFloats + sample * chunks.perSample * 2 * channels, mean: mean,
              variance: variance)
            kernels.groupMoments(channels: channels, groups: groups, mean: mean, variance: variance)
          }
        },
        NodeKernel.Phase(taskCount: chunks.taskCount) { tasks, arguments in
          for task in tasks {
            let (sample, rows) = chunks.part(task)
            let firstRow = sample * chunks.rows
            let part = firstRow + rows.lowerBound..<firstRow + rows.upperBound
            finish.forEachPart(of: part, width: channels, arguments) { rows in
              let first = rows.lowerBound * channels
              kernels.normalize(
                rows: rows.count, channels: channels, x: arguments.x(0) + first, xPitch: channels,
                mean: arguments.y(1) + sample * channels, variance: arguments.y(2) + sample * channels,
                scale: arguments.x(1), shift: arguments.x(2), epsilon: epsilon, y: arguments.y(0) + first,
                streams: streams)
            }
          }
        },
      ])
    kernel.overwritableInputs = [0]
    return kernel
  }

  private func reference<T: ReferenceScalar>(_ chunks: SampleChunks, _: T.Type) -> NodeKernel {
    let (groups, epsilon) = (groups, epsilon)
    return T.referenceKernel("group_norm.forward") { arguments in
      Reference.groupNormalize(
        samples: chunks.samples, rows: chunks.rows, channels: chunks.channels, groups: groups,
        x: arguments.x(0, T.self), scale: arguments.x(1, T.self), shift: arguments.x(2, T.self), epsilon: epsilon,
        y: arguments.y(0, T.self), mean: arguments.y(1, T.self), variance: arguments.y(2, T.self))
    }
  }
}

extension GroupNormalizationGradient: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let chunks = SampleChunks(context.inputs[0])
    if let scalar = context.referenceType { return reference(chunks, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let (channels, groups, epsilon) = (chunks.channels, forward.groups, Float(forward.epsilon))
    // Sums of each chunk, sums of each sample, what follows from these, and the sums of all.
    let sampleSums = chunks.taskCount * 2 * channels
    let terms = sampleSums + chunks.samples * 2 * channels
    let totals = terms + chunks.samples * 3 * channels
    var kernel = NodeKernel(
      name: context.kernelName("group_norm.backward"),
      workspaceByteCount: (totals + 2 * channels) * MemoryLayout<Float>.stride,
      phases: [
        NodeKernel.Phase(taskCount: chunks.taskCount) { tasks, arguments in
          for task in tasks {
            let (sample, rows) = chunks.part(task)
            let first = (sample * chunks.rows + rows.lowerBound) * channels
            kernels.normalizationGradientSums(
              rows: rows.count, channels: channels, x: arguments.x(1) + first, xPitch: channels,
              dy: arguments.x(0) + first, mean: arguments.x(2) + sample * channels,
              variance: arguments.x(3) + sample * channels, epsilon: epsilon,
              sums: arguments.workspaceFloats + task * 2 * channels)
          }
        },
        NodeKernel.Phase(taskCount: chunks.samples) { samples, arguments in
          for sample in samples {
            let sums = arguments.workspaceFloats + sampleSums + sample * 2 * channels
            kernels.addPartials(
              chunks: chunks.perSample, count: 2 * channels,
              partials: arguments.workspaceFloats + sample * chunks.perSample * 2 * channels, result: sums)
            kernels.groupGradientTerms(
              rows: chunks.rows, channels: channels, groups: groups, sums: sums,
              variance: arguments.x(3) + sample * channels, scale: arguments.x(4), epsilon: epsilon,
              terms: arguments.workspaceFloats + terms + sample * 3 * channels)
          }
        },
        // The first of the tasks adds up the samples; the others are dx.
        NodeKernel.Phase(taskCount: chunks.taskCount + 1) { tasks, arguments in
          for task in tasks {
            guard task > 0 else {
              let sums = arguments.workspaceFloats + totals
              kernels.addPartials(
                chunks: chunks.samples, count: 2 * channels, partials: arguments.workspaceFloats + sampleSums,
                result: sums)
              arguments.y(2).update(from: sums, count: channels)
              arguments.y(1).update(from: sums + channels, count: channels)
              continue
            }
            let (sample, rows) = chunks.part(task - 1)
            let first = (sample * chunks.rows + rows.lowerBound) * channels
            kernels.groupNormalizeBackward(
              rows: rows.count, channels: channels, dy: arguments.x(0) + first, x: arguments.x(1) + first,
              mean: arguments.x(2) + sample * channels,
              terms: arguments.workspaceFloats + terms + sample * 3 * channels, dx: arguments.y(0) + first)
          }
        },
      ])
    kernel.overwritableInputs = [0, 1]
    return kernel
  }

  private func reference<T: ReferenceScalar>(_ chunks: SampleChunks, _: T.Type) -> NodeKernel {
    let (groups, epsilon) = (forward.groups, forward.epsilon)
    return T.referenceKernel("group_norm.backward") { arguments in
      Reference.groupNormalizeBackward(
        samples: chunks.samples, rows: chunks.rows, channels: chunks.channels, groups: groups,
        dy: arguments.x(0, T.self), x: arguments.x(1, T.self), mean: arguments.x(2, T.self),
        variance: arguments.x(3, T.self), scale: arguments.x(4, T.self), epsilon: epsilon, dx: arguments.y(0, T.self),
        dscale: arguments.y(1, T.self), dshift: arguments.y(2, T.self))
    }
  }
}

extension LocalResponseNormalization: EpilogueKernel {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let (rows, channels) = (context.inputs[0].rowCount, context.inputs[0].rowWidth)
    if let scalar = context.referenceType { return reference(rows, channels, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let (before, after) = (before, after)
    let (alpha, beta, bias) = (Float(alphaOfTerm), Float(beta), Float(bias))
    var kernel = context.rowwise("local_response_norm.forward", rows: rows, elementsPerRow: channels) {
      rows, arguments in
      let first = rows.lowerBound * channels
      kernels.localResponse(
        rows: rows.count, channels: channels, before: before, after: after, alpha: alpha, beta: beta, bias: bias,
        x: arguments.x(0) + first, y: arguments.y(0) + first, scratch: arguments.scratchFloats)
    }
    kernel.scratchByteCount =
      kernels.localResponseScratchCount(channels: channels, before: before, after: after) * MemoryLayout<Float>.stride
    kernel.overwritableInputs = [0]
    return kernel
  }

  private func reference<T: ReferenceScalar>(_ rows: Int, _ channels: Int, _: T.Type) -> NodeKernel {
    let operation = self
    return T.referenceKernel("local_response_norm.forward") { arguments in
      Reference.localResponse(
        rows: rows, channels: channels, before: operation.before, after: operation.after,
        alpha: operation.alphaOfTerm, beta: operation.beta, bias: operation.bias,
        x: arguments.x(0, T.self), y: arguments.y(0, T.self))
    }
  }
}

extension LocalResponseNormalizationGradient: EpilogueKernel {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let (rows, channels) = (context.inputs[0].rowCount, context.inputs[0].rowWidth)
    if let scalar = context.referenceType { return reference(rows, channels, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    let (before, after) = (forward.before, forward.after)
    let (alpha, beta, bias) = (Float(forward.alphaOfTerm), Float(forward.beta), Float(forward.bias))
    var kernel = context.rowwise("local_response_norm.backward", rows: rows, elementsPerRow: 2 * channels) {
      rows, arguments in
      let first = rows.lowerBound * channels
      kernels.localResponseBackward(
        rows: rows.count, channels: channels, before: before, after: after, alpha: alpha, beta: beta, bias: bias,
        dy: arguments.x(0) + first, x: arguments.x(1) + first, dx: arguments.y(0) + first,
        scratch: arguments.scratchFloats)
    }
    kernel.scratchByteCount =
      kernels.localResponseScratchCount(channels: channels, before: before, after: after) * MemoryLayout<Float>.stride
    kernel.overwritableInputs = [0, 1]
    return kernel
  }

  private func reference<T: ReferenceScalar>(_ rows: Int, _ channels: Int, _: T.Type) -> NodeKernel {
    let forward = forward
    return T.referenceKernel("local_response_norm.backward") { arguments in
      Reference.localResponseBackward(
        rows: rows, channels: channels, before: forward.before, after: forward.after,
        alpha: forward.alphaOfTerm, beta: forward.beta, bias: forward.bias,
        dy: arguments.x(0, T.self), x: arguments.x(1, T.self), dx: arguments.y(0, T.self))
    }
  }
}
