import TesseraKernels
import TesseraVerification
import Testing

@Suite struct PixelBlockTests {
  /// Geometries that are served: few channels in windows, strides, dilations and paddings of all kinds.
  private func generatedGeometries(_ kernels: any KernelSet.Type, count: Int, maximumFlops: Double)
    -> [ConvolutionGeometry]
  {
    var random = PhiloxGenerator(seed: 77)
    var result: [ConvolutionGeometry] = []
    while result.count < count {
      var g = ConvolutionGeometry(
        n: random.integer(0...4), h: random.integer(1...19), w: random.one(of: [1, 2, 3, 5, 8, 13, 16, 21, 33]),
        c: random.integer(1...8), k: random.one(of: [1, 2, 3, 7, 16, 17, 33, 64]), r: random.integer(1...7),
        s: random.integer(1...7), strideY: random.integer(1...4), strideX: random.integer(1...4),
        dilationY: random.one(of: [1, 1, 2, 3]), dilationX: random.one(of: [1, 1, 2, 3]))
      let mostPadding = random.one(of: [0, 1, 3, 10])
      (g.padTop, g.padLeft) = (random.integer(0...mostPadding), random.integer(0...mostPadding))
      (g.padBottom, g.padRight) = (random.integer(0...mostPadding), random.integer(0...mostPadding))
      let rows = g.h + g.padTop + g.padBottom - (g.r - 1) * g.dilationY
      let columns = g.w + g.padLeft + g.padRight - (g.s - 1) * g.dilationX
      guard rows > 0, columns > 0, g.flops < maximumFlops,
        kernels.refusal(.pixelBlock, .backwardData, g, numerics: .exact) == nil
      else { continue }
      result.append(g)
    }
    return result
  }

  @Test(arguments: KernelCatalogue.supported)
  func generated(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for g in generatedGeometries(kernels, count: isShort ? 60 : 500, maximumFlops: isShort ? 2e5 : 1.5e6) {
      let problem = ConvolutionProblem(g)
      for caches in cacheSizes { problem.check(kernels, ConvolutionSettings(caches: caches), .pixelBlock) }
    }
  }
}
