import TesseraKernels
import TesseraVerification
import Testing

@Suite struct PixelBlockTests {
  @Test(arguments: KernelCatalogue.supported)
  func generated(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let geometries = GeneratedGeometries.pixelBlock(
      kernels, count: isShort ? 60 : 500, maximumFlops: isShort ? 2e5 : 1.5e6)
    for g in geometries {
      let problem = ConvolutionProblem(g)
      for caches in cacheSizes { problem.check(kernels, ConvolutionSettings(caches: caches), .pixelBlock) }
    }
  }
}
