/// The three computations of a convolution layer.
public enum ConvolutionPass: String, CaseIterable, Sendable {
  /// y from x and w.
  case forward
  /// dx from dy and w.
  case backwardData = "backward-data"
  /// dw from x and dy.
  case backwardWeights = "backward-weights"
}

/// A way to compute a convolution. Each serves some geometries and refuses the others with a reason.
public enum ConvolutionAlgorithm: String, CaseIterable, Sendable {
  /// The sum as it stands, on register tiles, without copying or padding the image; one filter a group runs on tiles of
  /// channels (depthwise). Serves every geometry.
  case direct
  /// Backward-data for few channels: the channels of a block of neighbouring pixels fill the vector together.
  case pixelBlock = "pixel-block"
  /// F(4x4, 3x3), and F(3x3, 4x4) for the weights: a quarter of the products; F(2x2, 5x5) and F(5x5, 2x2): 36 of a hundred
  /// (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015).
  case winograd
  /// The patches of the image unrolled into the rows of a matrix, and a matrix product. Serves every geometry; a
  /// baseline for the others.
  case im2col
}

/// How near to the exact sum results have to be. Storage and products are float32 in both.
public enum Numerics: String, CaseIterable, Sendable {
  /// The error of any order of summation: |y' - y| <= gamma(n) sum |x||w|.
  case exact
  /// At most 1e-4 of the largest result on unit-normal data: admits Winograd's algorithms.
  case fast
}

/// What the choice of a kernel and its blocking follow from, besides the problem and the instruction set. The number of
/// workers and the time of day aren't among it.
public struct ConvolutionSettings: Hashable, Sendable {
  public var caches: CacheSizes
  public var numerics: Numerics
  /// Overrules the cost model; nil leaves the choice to it.
  public var algorithm: ConvolutionAlgorithm?

  public init(caches: CacheSizes, numerics: Numerics = .fast, algorithm: ConvolutionAlgorithm? = nil) {
    (self.caches, self.numerics, self.algorithm) = (caches, numerics, algorithm)
  }
}
