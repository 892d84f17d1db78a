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
    func serves(_ algorithm: ConvolutionAlgorithm) -> Bool {
      refusal(algorithm, pass, geometry, numerics: settings.numerics) == nil
    }
    let (pixelBlock, winograd) = (serves(.pixelBlock), serves(.winograd))
    guard pixelBlock || winograd else { return .direct }
    var best = ConvolutionAlgorithm.direct
    var least = ConvolutionCost.direct(pass, geometry, settings.caches)
    func consider(_ algorithm: ConvolutionAlgorithm, _ cost: Double) {
      if cost < least { (best, least) = (algorithm, cost) }
    }
    if pixelBlock { consider(.pixelBlock, ConvolutionCost.pixelBlock(geometry, settings.caches)) }
    if winograd { consider(.winograd, ConvolutionCost.winograd(pass, geometry, settings.caches)) }
    return best
  }
}
