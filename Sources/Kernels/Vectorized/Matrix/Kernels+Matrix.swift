public import TesseraKernelContract

// A matrix product is the 1 x 1 correlation of one image, one row high, whose pixels are the rows of a and whose
// channels are its columns; transposed operands differ in strides only. The plan is a convolution's.
extension Kernels {
  public static func matrixProductPlan(_ geometry: MatrixProductGeometry, caches: CacheSizes)
    -> ConvolutionPlan
  {
    plan(
      "matmul.forward", Correlation(product: geometry),
      WeightLayout(
        depthStride: geometry.transposeB ? 1 : geometry.n,
        filterStride: geometry.transposeB ? geometry.k : 1),
      caches: caches)
  }

  public static func packMatrix(
    _ plan: ConvolutionPlan, tasks: Range<Int>, b: UnsafePointer<Float>,
    packed: UnsafeMutablePointer<Float>
  ) {
    packWeights(plan, tasks: tasks, weights: b, packed: packed)
  }

  public static func multiply(
    _ plan: ConvolutionPlan, tasks: Range<Int>, a: UnsafePointer<Float>,
    packed: UnsafePointer<Float>, bias: UnsafePointer<Float>?, activation: Activation,
    c: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    convolve(
      plan, tasks: tasks, input: a, packed: packed, bias: bias, activation: activation, output: c,
      scratch: scratch)
  }
}
