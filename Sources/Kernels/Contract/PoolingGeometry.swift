/// The sizes of one two-dimensional pooling, in elements: x [N,H,W,C] to y [N,P,Q,C].
/// P and Q are given, not derived, so that every rounding rule fits.
public struct PoolingGeometry: Hashable, Sendable {
  public var n: Int, h: Int, w: Int, c: Int
  public var p: Int, q: Int
  public var r: Int, s: Int
  public var strideY: Int, strideX: Int
  public var dilationY: Int, dilationX: Int
  public var padTop: Int, padLeft: Int, padBottom: Int, padRight: Int
  /// Floats from one pixel of x to the next: more than C where x is channels of wider pixels.
  public var xPitch: Int

  /// Sizes in elements; padding and dilation are none unless given.
  public init(
    n: Int, h: Int, w: Int, c: Int, p: Int, q: Int, r: Int, s: Int, strideY: Int, strideX: Int,
    dilationY: Int = 1, dilationX: Int = 1, padTop: Int = 0, padLeft: Int = 0, padBottom: Int = 0,
    padRight: Int = 0
  ) {
    (self.n, self.h, self.w, self.c, self.p, self.q) = (n, h, w, c, p, q)
    (self.r, self.s) = (r, s)
    (self.strideY, self.strideX) = (strideY, strideX)
    (self.dilationY, self.dilationX) = (dilationY, dilationX)
    (self.padTop, self.padLeft, self.padBottom, self.padRight) = (
      padTop, padLeft, padBottom, padRight
    )
    xPitch = c
  }
}
