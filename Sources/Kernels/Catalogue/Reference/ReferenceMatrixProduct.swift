public import TesseraKernelContract

extension Reference {
  /// c = activation(a b + bias), bias [N].
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func matrixProduct<T: BinaryFloatingPoint>(
    _ g: MatrixProductGeometry, a: UnsafePointer<T>, b: UnsafePointer<T>, bias: UnsafePointer<T>?,
    activation: Activation, c: UnsafeMutablePointer<T>
  ) {
    var sums = [Double](repeating: 0, count: g.n)
    for m in 0..<g.m {
      for n in 0..<g.n { sums[n] = bias.map { Double($0[n]) } ?? 0 }
      for k in 0..<g.k {
        let factor = Double(g.transposeA ? a[k * g.m + m] : a[m * g.k + k])
        for n in 0..<g.n {
          sums[n] += factor * Double(g.transposeB ? b[n * g.k + k] : b[k * g.n + n])
        }
      }
      for n in 0..<g.n { c[m * g.n + n] = T(activated(activation, sums[n])) }
    }
  }
}
