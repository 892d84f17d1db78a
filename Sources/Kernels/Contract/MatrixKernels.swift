/// c = a b, or with either operand stored transposed. c is [M,N]; a is [M,K] or, transposed, [K,M]; b is [K,N] or,
/// transposed, [N,K].
public struct MatrixProductGeometry: Hashable, Sendable {
  public var m: Int, n: Int, k: Int
  /// Whether a is [K, M].
  public var transposeA: Bool
  /// Whether b is [N, K].
  public var transposeB: Bool

  /// Sizes in elements.
  public init(m: Int, n: Int, k: Int, transposeA: Bool = false, transposeB: Bool = false) {
    (self.m, self.n, self.k) = (m, n, k)
    (self.transposeA, self.transposeB) = (transposeA, transposeB)
  }

  /// 2 M N K.
  public var flops: Double { 2 * Double(m) * Double(n) * Double(k) }
}

/// Dense matrix products on the same register tiles as convolution. Rules for pointers as in ``ConvolutionKernels``.
public protocol MatrixKernels {
  /// c = activation(a b + bias), bias [N]: the plan's input is a, its packed weights are b, its output is c.
  static func matrixProductPlan(_ geometry: MatrixProductGeometry, caches: CacheSizes) -> any PlannedConvolution
}
