public import TesseraKernelContract

// Single elements of the three convolution passes, in double precision: what a benchmark checks a sample of large
// results with.

extension Reference {
  /// Element `index` of y, row-major in [N,P,Q,K]; without activation.
  public static func convolutionForwardElement(
    _ g: ConvolutionGeometry, _ index: Int, x: UnsafePointer<Float>, w: UnsafePointer<Float>,
    bias: UnsafePointer<Float>?
  ) -> Double {
    let k = index % g.k
    let q = index / g.k % g.q
    let p = index / g.k / g.q % g.p
    let n = index / g.k / g.q / g.p
    let firstChannel = k / g.filtersPerGroup * g.channelsPerGroup
    var sum = bias.map { Double($0[k]) } ?? 0
    for r in 0..<g.r {
      let row = p * g.strideY - g.padTop + r * g.dilationY
      if row < 0 || row >= g.h { continue }
      for s in 0..<g.s {
        let column = q * g.strideX - g.padLeft + s * g.dilationX
        if column < 0 || column >= g.w { continue }
        let pixel = x + ((n * g.h + row) * g.w + column) * g.c + firstChannel
        let weights = w + (r * g.s + s) * g.channelsPerGroup * g.k + k
        for c in 0..<g.channelsPerGroup { sum += Double(pixel[c]) * Double(weights[c * g.k]) }
      }
    }
    return sum
  }

  /// Element `index` of dx, row-major in [N,H,W,C].
  public static func convolutionBackwardDataElement(
    _ g: ConvolutionGeometry, _ index: Int, dy: UnsafePointer<Float>, w: UnsafePointer<Float>
  ) -> Double {
    let c = index % g.c
    let column = index / g.c % g.w
    let row = index / g.c / g.w % g.h
    let n = index / g.c / g.w / g.h
    let firstFilter = c / g.channelsPerGroup * g.filtersPerGroup
    var sum = 0.0
    for r in 0..<g.r {
      let (p, restY) = (row + g.padTop - r * g.dilationY).quotientAndRemainder(dividingBy: g.strideY)
      if restY != 0 || p < 0 || p >= g.p { continue }
      for s in 0..<g.s {
        let (q, restX) = (column + g.padLeft - s * g.dilationX)
          .quotientAndRemainder(dividingBy: g.strideX)
        if restX != 0 || q < 0 || q >= g.q { continue }
        let delta = dy + ((n * g.p + p) * g.q + q) * g.k + firstFilter
        let weights =
          w + ((r * g.s + s) * g.channelsPerGroup + c % g.channelsPerGroup) * g.k + firstFilter
        for k in 0..<g.filtersPerGroup { sum += Double(delta[k]) * Double(weights[k]) }
      }
    }
    return sum
  }

  /// Element `index` of dw, row-major in [R,S,C/G,K].
  public static func convolutionBackwardWeightsElement(
    _ g: ConvolutionGeometry, _ index: Int, x: UnsafePointer<Float>, dy: UnsafePointer<Float>
  ) -> Double {
    let k = index % g.k
    let c = index / g.k % g.channelsPerGroup + k / g.filtersPerGroup * g.channelsPerGroup
    let s = index / g.k / g.channelsPerGroup % g.s
    let r = index / g.k / g.channelsPerGroup / g.s
    var sum = 0.0
    for n in 0..<g.n {
      for p in 0..<g.p {
        let row = p * g.strideY - g.padTop + r * g.dilationY
        if row < 0 || row >= g.h { continue }
        for q in 0..<g.q {
          let column = q * g.strideX - g.padLeft + s * g.dilationX
          if column < 0 || column >= g.w { continue }
          sum +=
            Double(x[((n * g.h + row) * g.w + column) * g.c + c])
            * Double(dy[((n * g.p + p) * g.q + q) * g.k + k])
        }
      }
    }
    return sum
  }
}
