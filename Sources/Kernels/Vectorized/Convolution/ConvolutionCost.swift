import TesseraKernelContract

/// What the algorithms are expected to cost, in steps of one multiply-add of a vector: the whole of the cost model. It
/// knows the problem and the width of a vector; memory costs all of them alike.
///
/// Constants were fitted on a Zen 4 core to the layers of Docs/Performance.md; measure them again with
/// `engine-bench layers --algorithm NAME`.
enum ConvolutionCost {
  /// Register tiles reach this share of one multiply-add a step.
  static var tileEfficiency: Double { 0.92 }
  /// Steps that the transform of one vector of a tile takes, most of them waiting for level 2.
  private static var transform: Double { 400 }

  private static func vectors(_ channels: Int) -> Double { Double(ceilingQuotient(channels, lanes)) }

  static func direct(_ pass: ConvolutionPass, _ g: ConvolutionGeometry) -> Double {
    let outputs = Double(g.n * g.p * g.q * g.r * g.s * g.groups) / tileEfficiency
    return switch pass {
    case .forward, .backwardWeights: outputs * Double(g.channelsPerGroup) * vectors(g.filtersPerGroup)
    case .backwardData: outputs * Double(g.filtersPerGroup) * vectors(g.channelsPerGroup)
    }
  }

  static func pixelBlock(_ pass: ConvolutionPass, _ g: ConvolutionGeometry) -> Double {
    PixelBlockConvolution.steps(g) / tileEfficiency
  }

  static func winograd(_ pass: ConvolutionPass, _ g: ConvolutionGeometry) -> Double {
    let tiles = pass == .backwardData ? WinogradTiles(backwardData: g) : WinogradTiles(forward: g)
    let (channels, filters) = pass == .backwardData ? (g.k, g.c) : (g.c, g.k)
    // Blocks of some four vectors transform the other operand again.
    func blocks(_ channels: Int) -> Double { pass == .backwardWeights ? (vectors(channels) / 4).rounded(.up) : 1 }
    // Weights are transformed once a run, or their gradient back.
    let weights = Double(channels) * vectors(filters) * transform
    return weights
      + winograd(
        tiles: tiles.count, channels: channels, filters: filters, inputTransforms: blocks(filters),
        outputTransforms: blocks(channels))
  }

  /// Without the transform of the weights.
  static func winograd(
    tiles: Int, channels: Int, filters: Int, inputTransforms: Double, outputTransforms: Double = 1
  ) -> Double {
    let products = Double(Winograd.points * channels) * vectors(filters) / tileEfficiency
    let transforms = (vectors(channels) * inputTransforms + vectors(filters) * outputTransforms) * transform
    return Double(tiles) * (products + transforms)
  }
}
