import TesseraKernels
import TesseraVerification
import Testing

/// What a product does to its result on its way to memory is, bit for bit, what the element-wise kernels do to it
/// afterwards.
@Suite struct EpilogueTests {
  /// A random epilogue, and operands for it.
  private struct Case {
    let addend: GuardedBuffer<Float>?
    let activation: Activation
    let activated: GuardedBuffer<Float>?

    init(_ random: inout PhiloxGenerator, count: Int) {
      let kind = random.integer(0...2)
      activation = random.one(of: allActivations)
      addend = kind > 0 ? random.buffer(count) : nil
      activated = kind < 2 ? random.buffer(count) : nil
      // Zeros are where a ReLU is off.
      if let activated { for i in stride(from: 0, to: count, by: 3) { activated.pointer[i] = 0 } }
    }

    func check(
      _ kernels: any KernelSet.Type, _ plan: any PlannedConvolution, input: GuardedBuffer<Float>,
      weights: GuardedBuffer<Float>, bias: GuardedBuffer<Float>?, count: Int, _ what: @autoclosure () -> String
    ) {
      let expected = convolve(plan, input: input, weights: weights, bias: bias, count: count)
      let y = expected.pointer
      if let addend { kernels.add(count: count, a: y, b: addend.pointer, y: y, streams: false) }
      if let activated {
        kernels.activateBackward(activation, count: count, dy: y, y: activated.pointer, dz: y, streams: false)
      } else {
        kernels.activate(activation, count: count, x: y, y: y, streams: false)
      }
      let result = convolve(
        plan, input: input, weights: weights, bias: bias, addend: addend, activation: activation, activated: activated,
        count: count)
      expectSame(
        result.values, expected.values,
        "\(plan.name), addend \(addend != nil), \(activation), gradient \(activated != nil) of \(what())")
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func convolutions(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    var random = PhiloxGenerator(seed: 31)
    let generated = GeneratedGeometries.random(
      count: isShort ? 40 : 250, seed: 4711, maximumFlops: isShort ? 3e5 : 2e6)
    for g in generated + GeneratedGeometries.chosen where !isShort || g.flops < 2e6 {
      let (x, w, bias) = (random.buffer(g.xCount), random.buffer(g.weightCount), random.buffer(g.k))
      let dy = random.buffer(g.yCount)
      for caches in cacheSizes {
        for algorithm in ConvolutionAlgorithm.allCases {
          let settings = ConvolutionSettings(caches: caches, algorithm: algorithm)
          for pass in [ConvolutionPass.forward, .backwardData]
          where kernels.refusal(algorithm, pass, g, numerics: .fast) == nil {
            let plan = kernels.plan(pass, g, settings)
            if pass == .forward {
              Case(&random, count: g.yCount).check(
                kernels, plan, input: x, weights: w, bias: bias, count: g.yCount, "\(g)")
            } else {
              Case(&random, count: g.xCount).check(
                kernels, plan, input: dy, weights: w, bias: nil, count: g.xCount, "\(g)")
            }
          }
        }
      }
    }
  }

  /// Maxima of 2 x 2 outputs are those that the pooling kernel finds, also of odd sizes.
  @Test(arguments: KernelCatalogue.supported)
  func pooledMaxima(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    var random = PhiloxGenerator(seed: 33)
    var pooledCount = 0
    let generated =
      GeneratedGeometries.winograd(
        window: 3, rounds: 1, seed: 34, maximumFlops: isShort ? 2e5 : 2e6)
      + GeneratedGeometries.winograd(window: 5, rounds: 1, seed: 35, maximumFlops: isShort ? 2e5 : 2e6)
    for g in generated where g.p > 1 && g.q > 1 {
      let plan = kernels.plan(.forward, g, ConvolutionSettings(caches: .typical, algorithm: .winograd))
      guard plan.takesPooling else { continue }
      let (x, w, bias) = (random.buffer(g.xCount), random.buffer(g.weightCount), random.buffer(g.k))
      let activation = random.one(of: allActivations)
      let y = convolve(plan, input: x, weights: w, bias: bias, activation: activation, count: g.yCount)
      let pooling = PoolingGeometry(
        n: g.n, h: g.p, w: g.q, c: g.k, p: g.p / 2, q: g.q / 2, r: 2, s: 2, strideY: 2, strideX: 2)
      let count = g.n * pooling.p * pooling.q * g.k
      let expected = GuardedBuffer<Float>.poisoned(count)
      let mask = GuardedBuffer<Int32>([Int32](repeating: 0, count: count))
      kernels.maxPool(
        pooling, rows: 0..<g.n * pooling.p, x: y.pointer, y: expected.pointer, mask: mask.pointer, streams: false)
      let result = convolve(
        plan, input: x, weights: w, bias: bias, activation: activation, poolsMaximum: true, count: count)
      expectSame(result.values, expected.values, "\(plan.name), \(activation) of \(g)")
      pooledCount += 1
    }
    #expect(pooledCount > (isShort ? 5 : 20))
  }

  @Test(arguments: KernelCatalogue.supported)
  func products(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    var random = PhiloxGenerator(seed: 32)
    for _ in 0..<(isShort ? 20 : 120) {
      let g = MatrixProductGeometry(
        m: random.one(of: [1, 2, 5, 6, 7, 13, 50]), n: random.one(of: [1, 3, 10, 16, 17, 65, 120]),
        k: random.one(of: [1, 5, 33, 700]))
      let (a, b, bias) = (random.buffer(g.m * g.k), random.buffer(g.k * g.n), random.buffer(g.n))
      for caches in cacheSizes {
        Case(&random, count: g.m * g.n).check(
          kernels, kernels.matrixProductPlan(g, caches: caches), input: a, weights: b, bias: bias, count: g.m * g.n,
          "\(g)")
      }
    }
  }
}
