import TesseraKernels
import TesseraVerification
import Testing

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
    let geometries = GeneratedGeometries.random(
      count: isShort ? 40 : 350, seed: 2026, maximumFlops: isShort ? 3e5 : 3e6)
    for g in geometries { check(kernels, g) }
  }

  @Test(arguments: KernelCatalogue.supported)
  func chosen(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for g in GeneratedGeometries.chosen where !isShort || g.flops < 2e6 { check(kernels, g) }
  }

  /// Narrow groups with square windows have tiles of their own, two rows high, whose last vector of channels overlaps the
  /// one before.
  @Test(arguments: KernelCatalogue.supported)
  func narrowGroups(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for g in GeneratedGeometries.narrowGroups(count: isShort ? 20 : 160) { check(kernels, g) }
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
