public import TesseraKernelContract

extension Kernels {
  public static func refusal(
    _ algorithm: ConvolutionAlgorithm, _ pass: ConvolutionPass, _ geometry: ConvolutionGeometry, numerics: Numerics
  ) -> String? {
    switch algorithm {
    case .direct, .im2col: nil
    case .winograd: Winograd.refusal(geometry, numerics)
    case .pixelBlock: PixelBlockConvolution.refusal(pass, geometry)
    }
  }

  /// What the settings name, or the cheapest of those that don't refuse. The unrolled product never is.
  public static func algorithm(
    _ pass: ConvolutionPass, _ geometry: ConvolutionGeometry, _ settings: ConvolutionSettings
  ) -> ConvolutionAlgorithm {
    if let algorithm = settings.algorithm {
      precondition(
        refusal(algorithm, pass, geometry, numerics: settings.numerics) == nil, "callers ask before they overrule")
      return algorithm
    }
    var best = ConvolutionAlgorithm.direct
    var least = ConvolutionCost.direct(pass, geometry)
    func consider(_ algorithm: ConvolutionAlgorithm, _ cost: (ConvolutionPass, ConvolutionGeometry) -> Double) {
      guard refusal(algorithm, pass, geometry, numerics: settings.numerics) == nil else { return }
      let cost = cost(pass, geometry)
      if cost < least { (best, least) = (algorithm, cost) }
    }
    consider(.pixelBlock, ConvolutionCost.pixelBlock)
    consider(.winograd, ConvolutionCost.winograd)
    return best
  }
}
