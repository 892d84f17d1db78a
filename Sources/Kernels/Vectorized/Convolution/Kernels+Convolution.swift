public import TesseraKernelContract

extension Kernels {
  public static func plan(
    _ pass: ConvolutionPass, _ geometry: ConvolutionGeometry, _ settings: ConvolutionSettings
  ) -> any PlannedConvolution {
    let isForward = pass == .forward
    switch algorithm(pass, geometry, settings) {
    case .winograd:
      return isForward
        ? WinogradConvolution(forward: geometry, caches: settings.caches)
        : WinogradConvolution(backwardData: geometry, caches: settings.caches)
    case .pixelBlock: return PixelBlockConvolution(geometry, caches: settings.caches)
    case .im2col: return isForward ? Im2colConvolution(forward: geometry) : Im2colConvolution(backwardData: geometry)
    case .direct:
      if GroupedTiles.serve(pass, geometry) {
        return GroupedConvolution(pass, geometry, caches: settings.caches)
      }
      return isForward
        ? DirectConvolution(forward: geometry, caches: settings.caches)
        : DirectConvolution(backwardData: geometry, caches: settings.caches)
    }
  }

  public static func weightGradientPlan(_ geometry: ConvolutionGeometry, _ settings: ConvolutionSettings)
    -> any PlannedWeightGradient
  {
    switch algorithm(.backwardWeights, geometry, settings) {
    case .winograd: return WinogradWeightGradient(geometry)
    case .im2col: return Im2colWeightGradient(geometry)
    case .direct, .pixelBlock:
      if GroupedTiles.serve(.backwardWeights, geometry) { return GroupedWeightGradient(geometry) }
      return DirectWeightGradient(geometry, caches: settings.caches)
    }
  }
}
