public import TesseraKernelContract

extension Reference {
  /// y = activation(cross-correlation of x with w + bias). x [N,H,W,C], w [R,S,C/G,K], bias [K], y [N,P,Q,K].
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func convolutionForward<T: BinaryFloatingPoint>(
    _ g: ConvolutionGeometry, x: UnsafePointer<T>, w: UnsafePointer<T>, bias: UnsafePointer<T>?,
    activation: Activation, y: UnsafeMutablePointer<T>
  ) {
    var sums = [Double](repeating: 0, count: g.k)
    for n in 0..<g.n {
      for p in 0..<g.p {
        for q in 0..<g.q {
          for k in 0..<g.k { sums[k] = bias.map { Double($0[k]) } ?? 0 }
          forEachTap(g, p, q) { r, s, row, column in
            let pixel = x + ((n * g.h + row) * g.w + column) * g.c
            forEachPair(g, r, s) { c, k, weight in sums[k] += Double(pixel[c]) * Double(w[weight]) }
          }
          let result = y + ((n * g.p + p) * g.q + q) * g.k
          for k in 0..<g.k { result[k] = T(activated(activation, sums[k])) }
        }
      }
    }
  }

  /// dx = activation(transposed convolution of dy with w + bias), bias [C].
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func convolutionBackwardData<T: BinaryFloatingPoint>(
    _ g: ConvolutionGeometry, dy: UnsafePointer<T>, w: UnsafePointer<T>, bias: UnsafePointer<T>?,
    activation: Activation, dx: UnsafeMutablePointer<T>
  ) {
    let imageCount = g.h * g.w * g.c
    var sums = [Double](repeating: 0, count: imageCount)
    for n in 0..<g.n {
      for i in 0..<imageCount { sums[i] = bias.map { Double($0[i % g.c]) } ?? 0 }
      for p in 0..<g.p {
        for q in 0..<g.q {
          let delta = dy + ((n * g.p + p) * g.q + q) * g.k
          forEachTap(g, p, q) { r, s, row, column in
            let pixel = (row * g.w + column) * g.c
            forEachPair(g, r, s) { c, k, weight in
              sums[pixel + c] += Double(delta[k]) * Double(w[weight])
            }
          }
        }
      }
      for i in 0..<imageCount { dx[n * imageCount + i] = T(activated(activation, sums[i])) }
    }
  }

  /// dw[r,s,c,k] = sum over n,p,q of x dy.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func convolutionBackwardWeights<T: BinaryFloatingPoint>(
    _ g: ConvolutionGeometry, x: UnsafePointer<T>, dy: UnsafePointer<T>,
    dw: UnsafeMutablePointer<T>
  ) {
    var sums = [Double](repeating: 0, count: g.weightCount)
    for n in 0..<g.n {
      for p in 0..<g.p {
        for q in 0..<g.q {
          let delta = dy + ((n * g.p + p) * g.q + q) * g.k
          forEachTap(g, p, q) { r, s, row, column in
            let pixel = x + ((n * g.h + row) * g.w + column) * g.c
            forEachPair(g, r, s) { c, k, weight in
              sums[weight] += Double(pixel[c]) * Double(delta[k])
            }
          }
        }
      }
    }
    for i in 0..<g.weightCount { dw[i] = T(sums[i]) }
  }

  /// The taps r, s of output p, q that see a row and column inside the image.
  @inline(__always)
  private static func forEachTap(
    _ g: ConvolutionGeometry, _ p: Int, _ q: Int,
    _ body: (_ r: Int, _ s: Int, _ row: Int, _ column: Int) -> Void
  ) {
    for r in 0..<g.r {
      let row = p * g.strideY - g.padTop + r * g.dilationY
      if row < 0 || row >= g.h { continue }
      for s in 0..<g.s {
        let column = q * g.strideX - g.padLeft + s * g.dilationX
        if column < 0 || column >= g.w { continue }
        body(r, s, row, column)
      }
    }
  }

  /// The channels c and filters k that tap r, s connects, and the number of their weight.
  @inline(__always)
  private static func forEachPair(
    _ g: ConvolutionGeometry, _ r: Int, _ s: Int, _ body: (_ c: Int, _ k: Int, _ weight: Int) -> Void
  ) {
    let (channels, filters) = (g.channelsPerGroup, g.filtersPerGroup)
    for group in 0..<g.groups {
      for c in 0..<channels {
        let weights = ((r * g.s + s) * channels + c) * g.k
        for k in group * filters..<(group + 1) * filters {
          body(group * channels + c, k, weights + k)
        }
      }
    }
  }
}
