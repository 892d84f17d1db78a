public import TesseraKernelContract

// A matrix product is the 1 x 1 correlation of one image, one row high, whose pixels are the rows of a and whose
// channels are its columns; transposed operands differ in strides only. The plan is a convolution's.
extension Kernels {
  public static func matrixProductPlan(_ geometry: MatrixProductGeometry, caches: CacheSizes) -> any PlannedConvolution
  {
    DirectConvolution(
      "matmul.forward", Correlation(product: geometry),
      WeightLayout(
        depthStride: geometry.transposeB ? 1 : geometry.n,
        filterStride: geometry.transposeB ? geometry.k : 1),
      caches: caches)
  }
}
