import TesseraKernels
import Testing

/// Packs and runs a plan, outputs and buffers full of NaN before.
func convolve(
  _ plan: any PlannedConvolution, input: GuardedBuffer<Float>, weights: GuardedBuffer<Float>,
  bias: GuardedBuffer<Float>?, addend: GuardedBuffer<Float>? = nil, activation: Activation = .identity,
  activated: GuardedBuffer<Float>? = nil, poolsMaximum: Bool = false, count: Int
) -> GuardedBuffer<Float> {
  let packed = GuardedBuffer<Float>.poisoned(plan.packedCount)
  let packScratch = GuardedBuffer<Float>.poisoned(plan.packScratchCount)
  expectIndependentTasks(plan.packTaskCount, result: packed, plan.name) {
    plan.pack(tasks: $0, weights: weights.pointer, packed: packed.pointer, scratch: packScratch.pointer)
  }
  let output = GuardedBuffer<Float>.poisoned(count)
  let scratch = GuardedBuffer<Float>.poisoned(plan.scratchCount)
  expectIndependentTasks(plan.taskCount, result: output, plan.name) {
    plan.run(
      tasks: $0,
      ConvolutionOperands(
        input: input.pointer, packed: packed.pointer, bias: bias.map { UnsafePointer($0.pointer) },
        addend: addend.map { UnsafePointer($0.pointer) }, activation: activation,
        activated: activated.map { UnsafePointer($0.pointer) }, poolsMaximum: poolsMaximum, output: output.pointer),
      scratch: scratch.pointer)
  }
  return output
}

/// Runs both phases of a plan, results and buffers full of NaN before.
func weightGradient(
  _ plan: any PlannedWeightGradient, x: GuardedBuffer<Float>, dy: GuardedBuffer<Float>, _ g: ConvolutionGeometry
) -> GuardedBuffer<Float> {
  #expect(plan.partialsCount * 4 <= max(32 << 20, 8 * g.weightCount * 4))
  let partials = GuardedBuffer<Float>.poisoned(plan.partialsCount)
  let scratch = GuardedBuffer<Float>.poisoned(plan.scratchCount)
  expectIndependentTasks(plan.taskCount, result: partials, "\(plan.name) of \(g)") {
    plan.accumulate(
      tasks: $0, x: x.pointer, dy: dy.pointer, partials: partials.pointer, scratch: scratch.pointer)
  }
  let dw = GuardedBuffer<Float>.poisoned(g.weightCount)
  expectIndependentTasks(plan.reduceTaskCount, result: dw, "\(plan.name) of \(g)") {
    plan.reduce(tasks: $0, partials: partials.pointer, dw: dw.pointer)
  }
  return dw
}
