import TesseraKernelContract
import Testing

/// Geometries from small primes and the neighbours of tile sizes, so that every remainder occurs.
private func generatedGeometries(count: Int, seed: UInt64) -> [ConvolutionGeometry] {
  var random = Generator(state: seed)
  var result: [ConvolutionGeometry] = []
  while result.count < count {
    let groups = random.one(of: [1, 1, 1, 1, 2, 3, 5, 17, 33])
    let isDepthwise = groups > 3
    var g = ConvolutionGeometry(
      n: random.integer(1...5), h: random.integer(1...17), w: random.one(of: [1, 2, 3, 7, 12, 13, 14, 23, 29]),
      c: groups * (isDepthwise ? random.one(of: [1, 1, 2]) : random.one(of: [1, 2, 3, 4, 7, 16, 31, 67])),
      k: groups
        * (isDepthwise ? random.one(of: [1, 1, 1, 3]) : random.one(of: [1, 3, 8, 15, 16, 17, 33, 48, 64, 67])),
      r: random.integer(1...5), s: random.one(of: [1, 2, 3, 3, 5, 7]),
      strideY: random.integer(1...3), strideX: random.integer(1...4), dilationY: random.integer(1...3),
      dilationX: random.one(of: [1, 1, 2, 3, 4]), groups: groups)
    if random.integer(0...2) > 0 {
      (g.padTop, g.padLeft) = (random.integer(0...3), random.integer(0...4))
      (g.padBottom, g.padRight) = (random.integer(0...3), random.integer(0...9))
    }
    let rows = g.h + g.padTop + g.padBottom - (g.r - 1) * g.dilationY
    let columns = g.w + g.padLeft + g.padRight - (g.s - 1) * g.dilationX
    guard rows > 0, columns > 0, g.flops < 3e6 else { continue }
    result.append(g)
  }
  return result
}

/// Shapes that networks have, and corners that chance seldom meets.
private let chosenGeometries = [
  ConvolutionGeometry(n: 2, h: 14, w: 14, c: 64, k: 64, r: 3, s: 3, padTop: 1, padLeft: 1, padBottom: 1, padRight: 1),
  ConvolutionGeometry(
    n: 1, h: 32, w: 31, c: 3, k: 64, r: 7, s: 7, strideY: 2, strideX: 2, padTop: 3, padLeft: 3, padBottom: 3,
    padRight: 3),
  ConvolutionGeometry(n: 5, h: 28, w: 28, c: 1, k: 6, r: 5, s: 5, padTop: 2, padLeft: 2, padBottom: 2, padRight: 2),
  ConvolutionGeometry(n: 5, h: 5, w: 5, c: 16, k: 120, r: 5, s: 5),
  ConvolutionGeometry(n: 2, h: 9, w: 9, c: 37, k: 70, r: 1, s: 1),
  ConvolutionGeometry(n: 2, h: 9, w: 9, c: 37, k: 70, r: 1, s: 1, strideY: 2, strideX: 2),
  ConvolutionGeometry(n: 1, h: 3, w: 3, c: 700, k: 33, r: 3, s: 3, padTop: 1, padLeft: 1, padBottom: 1, padRight: 1),
  ConvolutionGeometry(n: 3, h: 1, w: 1, c: 5, k: 7, r: 1, s: 1),
  // Padding larger than the window: outputs without any tap inside.
  ConvolutionGeometry(n: 1, h: 2, w: 2, c: 3, k: 5, r: 2, s: 2, padTop: 5, padLeft: 6, padBottom: 4, padRight: 7),
  // Stride larger than the window: inputs that no window reaches.
  ConvolutionGeometry(n: 2, h: 11, w: 13, c: 4, k: 9, r: 2, s: 2, strideY: 5, strideX: 4),
  // Dilation and stride with a common divisor.
  ConvolutionGeometry(
    n: 2, h: 15, w: 19, c: 4, k: 9, r: 3, s: 3, strideY: 4, strideX: 6, dilationY: 2, dilationX: 4, padTop: 1,
    padLeft: 3),
  // A hole in the middle: no tap inside between two runs of outputs that have some.
  ConvolutionGeometry(
    n: 1, h: 1, w: 1, c: 2, k: 3, r: 2, s: 2, dilationY: 7, dilationX: 5, padTop: 9, padLeft: 8, padBottom: 9,
    padRight: 8),
  ConvolutionGeometry(
    n: 2, h: 12, w: 12, c: 45, k: 45, r: 3, s: 3, strideY: 2, strideX: 2, padTop: 1, padLeft: 1, padBottom: 1,
    padRight: 1, groups: 45),
]

/// Level 2 so small that sums are cut into chunks and weights into blocks, and one that holds everything.
private let cacheSizes = [
  CacheSizes(level1Bytes: 1 << 10, level2Bytes: 24 << 10, level3Bytes: 1 << 20), CacheSizes.typical,
]

@Suite struct ConvolutionTests {
  @Test(arguments: 0..<subjects.count)
  func generated(subject: Int) {
    for g in generatedGeometries(count: 350, seed: 2026) { check(subjects[subject].kernels, g) }
  }

  @Test(arguments: 0..<subjects.count)
  func chosen(subject: Int) {
    for g in chosenGeometries { check(subjects[subject].kernels, g) }
  }

  @Test(arguments: 0..<subjects.count)
  func noImages(subject: Int) {
    let kernels = subjects[subject].kernels
    let g = ConvolutionGeometry(n: 0, h: 8, w: 8, c: 3, k: 4, r: 3, s: 3)
    #expect(kernels.forwardPlan(g, caches: .typical).taskCount == 0)
    #expect(kernels.backwardDataPlan(g, caches: .typical).taskCount == 0)
    let plan = kernels.weightGradientPlan(g, caches: .typical)
    #expect(plan.taskCount == 0)
    let dw = GuardedBuffer(g.weightCount)
    kernels.reduceWeightGradient(
      plan, tasks: 0..<plan.reduceTaskCount, partials: GuardedBuffer(plan.partialsCount).pointer, dw: dw.pointer)
    #expect((0..<dw.count).allSatisfy { dw.pointer[$0] == 0 })
  }

  /// Activations are applied to what identity gives, whether in registers or in memory.
  @Test(arguments: 0..<subjects.count)
  func activations(subject: Int) {
    let g = ConvolutionGeometry(
      n: 2, h: 9, w: 9, c: 5, k: 37, r: 3, s: 3, padTop: 2, padLeft: 1, padBottom: 1, padRight: 1)
    var random = Generator(state: 7)
    let (x, w, bias) = operands(g.xCount, g.weightCount, g.k, &random)
    var expected = Reference.forward(g, x: x, w: w)
    for i in expected.indices { expected[i].add(Double(bias.pointer[i % g.k])) }
    let functions: [(Activation, (Double) -> Double)] = [
      (.relu, { max($0, 0) }), (.leakyRelu(slope: 0.25), { $0 < 0 ? 0.25 * $0 : $0 }),
      (.sigmoid, { 1 / (1 + exponential(-$0)) }), (.tanh, { 1 - 2 / (1 + exponential(2 * $0)) }),
    ]
    for (activation, function) in functions {
      let y = convolve(
        subjects[subject].kernels, subjects[subject].kernels.forwardPlan(g, caches: .typical), input: x, weights: w,
        bias: bias, activation: activation, count: g.yCount)
      expectClose(y, expected, slack: 2e-6, "\(activation)", activation: function)
    }
  }

  private func check(_ kernels: any Subject.Type, _ g: ConvolutionGeometry) {
    var random = Generator(state: UInt64(g.xCount * 31 + g.weightCount))
    let (x, w, bias) = operands(g.xCount, g.weightCount, g.k, &random)
    let dy = GuardedBuffer(g.yCount, guardedAt: random.one(of: [.start, .end]))
    dy.randomize(&random)
    var forward = Reference.forward(g, x: x, w: w)
    for i in forward.indices { forward[i].add(Double(bias.pointer[i % g.k])) }
    let backwardData = Reference.backwardData(g, dy: dy, w: w)
    let backwardWeights = Reference.backwardWeights(g, x: x, dy: dy)

    for caches in cacheSizes {
      let forwardPlan = kernels.forwardPlan(g, caches: caches)
      expectClose(
        convolve(kernels, forwardPlan, input: x, weights: w, bias: bias, count: g.yCount), forward,
        "\(forwardPlan.name) of \(g)")
      let backwardPlan = kernels.backwardDataPlan(g, caches: caches)
      expectClose(
        convolve(kernels, backwardPlan, input: dy, weights: w, bias: nil, count: g.xCount), backwardData,
        "\(backwardPlan.name) of \(g)")
      checkWeightGradient(kernels, g, caches, x: x, dy: dy, expected: backwardWeights)
    }
  }

  private func checkWeightGradient(
    _ kernels: any Subject.Type, _ g: ConvolutionGeometry, _ caches: CacheSizes, x: GuardedBuffer,
    dy: GuardedBuffer, expected: [BoundedSum]
  ) {
    let plan = kernels.weightGradientPlan(g, caches: caches)
    let partials = GuardedBuffer(plan.partialsCount)
    let scratch = GuardedBuffer(plan.scratchCount)
    #expect(plan.partialsCount * 4 <= max(32 << 20, 8 * g.weightCount * 4))
    expectIndependentTasks(plan.taskCount, result: partials, "\(plan.name) of \(g)") {
      kernels.accumulateWeightGradient(
        plan, tasks: $0, x: x.pointer, dy: dy.pointer, partials: partials.pointer, scratch: scratch.pointer)
    }
    let dw = GuardedBuffer(g.weightCount)
    expectIndependentTasks(plan.reduceTaskCount, result: dw, "\(plan.name) of \(g)") {
      kernels.reduceWeightGradient(plan, tasks: $0, partials: partials.pointer, dw: dw.pointer)
    }
    expectClose(dw, expected, "\(plan.name) of \(g)")
  }
}

/// Two operands and a bias of random values.
func operands(_ a: Int, _ b: Int, _ bias: Int, _ random: inout Generator) -> (
  GuardedBuffer, GuardedBuffer, GuardedBuffer
) {
  let side: GuardedBuffer.Side = random.one(of: [.start, .end])
  let buffers = (
    GuardedBuffer(a, guardedAt: side), GuardedBuffer(b, guardedAt: side), GuardedBuffer(bias, guardedAt: side)
  )
  buffers.0.randomize(&random)
  buffers.1.randomize(&random)
  buffers.2.randomize(&random)
  return buffers
}

/// Packs and runs a plan, outputs and buffers full of NaN before.
func convolve(
  _ kernels: any Subject.Type, _ plan: ConvolutionPlan, input: GuardedBuffer, weights: GuardedBuffer,
  bias: GuardedBuffer?, activation: Activation = .identity, count: Int
) -> GuardedBuffer {
  let packed = GuardedBuffer(plan.packedCount)
  expectIndependentTasks(plan.packTaskCount, result: packed, plan.name) {
    kernels.packWeights(plan, tasks: $0, weights: weights.pointer, packed: packed.pointer)
  }
  let output = GuardedBuffer(count)
  let scratch = GuardedBuffer(plan.scratchCount)
  expectIndependentTasks(plan.taskCount, result: output, plan.name) {
    kernels.convolve(
      plan, tasks: $0, input: input.pointer, packed: packed.pointer, bias: bias.map { UnsafePointer($0.pointer) },
      activation: activation, output: output.pointer, scratch: scratch.pointer)
  }
  return output
}
