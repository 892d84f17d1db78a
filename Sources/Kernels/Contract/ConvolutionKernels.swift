/// Convolution in its three passes. All tensors are dense, row-major, of Float: x [N,H,W,C], w [R,S,C/G,K], y
/// [N,P,Q,K]. No pointer needs an alignment (64 bytes is fastest); results never alias operands; every pass writes
/// every element of its result; nothing outside the tensors is read or written. Backward-data is the transposed
/// convolution dx[n,h,w,c] = sum over r,s,k of dy w; where no window reaches, dx is 0 (or the bias, activated).
public protocol ConvolutionKernels {
  /// Why an algorithm doesn't compute a pass of a geometry; nil if it does.
  static func refusal(
    _ algorithm: ConvolutionAlgorithm, _ pass: ConvolutionPass, _ geometry: ConvolutionGeometry, numerics: Numerics
  ) -> String?

  /// The algorithm that the settings name, or the one that the cost model expects to be the fastest. The algorithm named
  /// mustn't refuse.
  static func algorithm(_ pass: ConvolutionPass, _ geometry: ConvolutionGeometry, _ settings: ConvolutionSettings)
    -> ConvolutionAlgorithm

  /// Forward or backward-data, by that algorithm.
  static func plan(_ pass: ConvolutionPass, _ geometry: ConvolutionGeometry, _ settings: ConvolutionSettings)
    -> any PlannedConvolution

  /// Backward-weights, likewise.
  static func weightGradientPlan(_ geometry: ConvolutionGeometry, _ settings: ConvolutionSettings)
    -> any PlannedWeightGradient
}
