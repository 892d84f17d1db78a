public import TesseraKernelContract

extension Kernels {
  public static func refusal(
    _ algorithm: ConvolutionAlgorithm, _ pass: ConvolutionPass, _ geometry: ConvolutionGeometry, numerics: Numerics
  ) -> String? {
    switch algorithm {
    case .direct: nil
    case .winograd: Winograd.refusal(geometry, numerics)
    case .im2col, .pixelBlock: "not there yet"
    }
  }

  static func chosenAlgorithm(
    _ pass: ConvolutionPass, _ geometry: ConvolutionGeometry, _ settings: ConvolutionSettings
  ) -> ConvolutionAlgorithm {
    if let algorithm = settings.algorithm {
      precondition(
        refusal(algorithm, pass, geometry, numerics: settings.numerics) == nil, "callers ask before they overrule")
      return algorithm
    }
    return .direct
  }
}

extension Winograd {
  static func refusal(_ g: ConvolutionGeometry, _ numerics: Numerics) -> String? {
    if numerics == .exact { return "its error is above that of a direct sum, which --numerics exact asks for" }
    if g.r != 3 || g.s != 3 { return "the window is \(g.r)x\(g.s), not 3x3" }
    if g.strideY != 1 || g.strideX != 1 { return "the stride is \(g.strideY)x\(g.strideX), not 1" }
    if g.groups != 1 { return "there are \(g.groups) groups, not one" }
    return nil
  }
}
