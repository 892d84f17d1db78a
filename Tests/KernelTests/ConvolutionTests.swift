import TesseraKernels
import Testing

/// Geometries from small primes and the neighbours of tile sizes, so that every remainder occurs.
func generatedGeometries(count: Int, seed: UInt64, maximumFlops: Double) -> [ConvolutionGeometry] {
  var random = PhiloxGenerator(seed: seed)
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
    guard rows > 0, columns > 0, g.flops < maximumFlops else { continue }
    result.append(g)
  }
  return result
}

/// Shapes that networks have, and corners that chance seldom meets.
let chosenGeometries = [
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
let cacheSizes = [
  CacheSizes(level1Bytes: 1 << 10, level2Bytes: 24 << 10, level3Bytes: 1 << 20), CacheSizes.typical,
]

let allActivations: [Activation] = [
  .identity, .relu, .leakyRelu(slope: 0.25), .clip(lower: -0.5, upper: 0.75), .sigmoid, .tanh,
]

@Suite struct ConvolutionTests {
  @Test(arguments: KernelCatalogue.supported)
  func generated(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let geometries = generatedGeometries(
      count: isShort ? 40 : 350, seed: 2026, maximumFlops: isShort ? 3e5 : 3e6)
    for g in geometries { check(kernels, g) }
  }

  @Test(arguments: KernelCatalogue.supported)
  func chosen(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for g in chosenGeometries where !isShort || g.flops < 2e6 { check(kernels, g) }
  }

  /// Narrow groups with square windows have tiles of their own, two rows high, whose last vector of channels overlaps the
  /// one before.
  @Test(arguments: KernelCatalogue.supported)
  func narrowGroups(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    var random = PhiloxGenerator(seed: 77)
    for _ in 0..<(isShort ? 20 : 160) {
      let width = random.one(of: [1, 1, 1, 2, 4, 8])
      let channels =
        width == 1 ? random.one(of: [4, 5, 8, 9, 15, 16, 17, 24, 31, 33, 48, 67]) : width * random.integer(1...9)
      let (window, stride) = (width == 1 ? random.one(of: [3, 5, 7]) : 3, random.integer(1...2))
      var g = ConvolutionGeometry(
        n: random.integer(0...3), h: random.integer(1...17), w: random.integer(1...31), c: channels, k: channels,
        r: window, s: window, strideY: stride, strideX: stride, groups: channels / width)
      (g.padTop, g.padLeft) = (random.integer(0...window), random.integer(0...window))
      (g.padBottom, g.padRight) = (random.integer(0...window), random.integer(0...window))
      if g.h + g.padTop + g.padBottom >= window, g.w + g.padLeft + g.padRight >= window { check(kernels, g) }
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func noImages(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let g = ConvolutionGeometry(n: 0, h: 8, w: 8, c: 3, k: 4, r: 3, s: 3)
    let settings = ConvolutionSettings(caches: .typical)
    #expect(kernels.plan(.forward, g, settings).taskCount == 0)
    #expect(kernels.plan(.backwardData, g, settings).taskCount == 0)
    let plan = kernels.weightGradientPlan(g, settings)
    #expect(plan.taskCount == 0)
    let partials = GuardedBuffer<Float>.poisoned(plan.partialsCount)
    let dw = GuardedBuffer<Float>.poisoned(g.weightCount)
    plan.reduce(tasks: 0..<plan.reduceTaskCount, partials: partials.pointer, dw: dw.pointer)
    #expect(dw.values.allSatisfy { $0 == 0 })
  }

  @Test(arguments: KernelCatalogue.supported)
  func activations(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let problem = ConvolutionProblem(
      ConvolutionGeometry(
        n: 2, h: 9, w: 9, c: 5, k: 37, r: 3, s: 3, padTop: 2, padLeft: 1, padBottom: 1, padRight: 1))
    for algorithm in ConvolutionAlgorithm.allCases {
      problem.check(kernels, ConvolutionSettings(caches: .typical), algorithm, activations: allActivations)
    }
  }

  private func check(_ kernels: any KernelSet.Type, _ g: ConvolutionGeometry) {
    let problem = ConvolutionProblem(g)
    for caches in cacheSizes {
      for algorithm in ConvolutionAlgorithm.allCases {
        problem.check(kernels, ConvolutionSettings(caches: caches), algorithm)
      }
    }
  }
}
