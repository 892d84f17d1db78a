/// The sizes of one two-dimensional cross-correlation, in elements.
///
/// y[n,p,q,k] = b[k] + sum over r,s,c of
///   x[n, p strideY - padTop + r dilationY, q strideX - padLeft + s dilationX, g(k) C/G + c] w[r,s,c,k]
/// with x [N,H,W,C], w [R,S,C/G,K], y [N,P,Q,K], g(k) = k / (K/G), x outside the image 0.
/// Padding may be larger than the window; right and bottom padding show only in P and Q.
public struct ConvolutionGeometry: Hashable, Sendable {
  public var n: Int, h: Int, w: Int, c: Int
  public var k: Int, r: Int, s: Int
  public var strideY: Int, strideX: Int
  public var dilationY: Int, dilationX: Int
  public var padTop: Int, padLeft: Int, padBottom: Int, padRight: Int
  public var groups: Int

  public init(
    n: Int, h: Int, w: Int, c: Int, k: Int, r: Int, s: Int, strideY: Int = 1, strideX: Int = 1,
    dilationY: Int = 1, dilationX: Int = 1, padTop: Int = 0, padLeft: Int = 0, padBottom: Int = 0,
    padRight: Int = 0, groups: Int = 1
  ) {
    (self.n, self.h, self.w, self.c, self.k, self.r, self.s) = (n, h, w, c, k, r, s)
    (self.strideY, self.strideX) = (strideY, strideX)
    (self.dilationY, self.dilationX) = (dilationY, dilationX)
    (self.padTop, self.padLeft, self.padBottom, self.padRight) = (
      padTop, padLeft, padBottom, padRight
    )
    self.groups = groups
  }

  /// Rows of y.
  public var p: Int { (h + padTop + padBottom - (r - 1) * dilationY - 1) / strideY + 1 }
  /// Columns of y.
  public var q: Int { (w + padLeft + padRight - (s - 1) * dilationX - 1) / strideX + 1 }
  public var channelsPerGroup: Int { c / groups }
  public var filtersPerGroup: Int { k / groups }

  public var xCount: Int { n * h * w * c }
  public var weightCount: Int { r * s * channelsPerGroup * k }
  public var yCount: Int { n * p * q * k }

  /// Floating-point operations of the direct algorithm, a multiply-add counted as two: 2 N P Q K (C/G) R S.
  public var flops: Double { 2 * Double(yCount) * Double(channelsPerGroup * r * s) }
}
