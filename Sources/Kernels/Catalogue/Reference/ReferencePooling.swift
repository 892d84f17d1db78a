public import TesseraKernelContract

extension Reference {
  /// Maximum of each window, and its number r * S + s: the first maximum wins, the first NaN beats all, an empty window
  /// gives -infinity and 0.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func maxPool<T: BinaryFloatingPoint>(
    _ g: PoolingGeometry, x: UnsafePointer<T>, y: UnsafeMutablePointer<T>,
    mask: UnsafeMutablePointer<Int32>
  ) {
    forEachOutput(g) { n, p, q, c, output in
      var found = false
      var best = -T.infinity
      var number = 0
      forEachTap(g, n, p, q) { tap, pixel in
        let value = x[pixel * g.c + c]
        if !found || value > best || (value.isNaN && !best.isNaN) { (best, number) = (value, tap) }
        found = true
      }
      y[output] = best
      mask[output] = Int32(number)
    }
  }

  /// dx sums the dy of the windows whose mask points at the element.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func maxPoolBackward<T: BinaryFloatingPoint>(
    _ g: PoolingGeometry, dy: UnsafePointer<T>, mask: UnsafePointer<Int32>,
    dx: UnsafeMutablePointer<T>
  ) {
    var sums = [Double](repeating: 0, count: g.n * g.h * g.w * g.c)
    forEachOutput(g) { n, p, q, c, output in
      forEachTap(g, n, p, q) { tap, pixel in
        if tap == Int(mask[output]) { sums[pixel * g.c + c] += Double(dy[output]) }
      }
    }
    for i in sums.indices { dx[i] = T(sums[i]) }
  }

  /// Mean of each window, padding counted as zeros or left out; an empty window gives 0.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func averagePool<T: BinaryFloatingPoint>(
    _ g: PoolingGeometry, countPadding: Bool, x: UnsafePointer<T>, y: UnsafeMutablePointer<T>
  ) {
    forEachOutput(g) { n, p, q, c, output in
      let count = elements(g, p, q, countPadding)
      var sum = 0.0
      forEachTap(g, n, p, q) { _, pixel in sum += Double(x[pixel * g.c + c]) }
      y[output] = count == 0 ? 0 : T(sum / Double(count))
    }
  }

  /// dx sums dy / count over the windows that hold the element.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func averagePoolBackward<T: BinaryFloatingPoint>(
    _ g: PoolingGeometry, countPadding: Bool, dy: UnsafePointer<T>, dx: UnsafeMutablePointer<T>
  ) {
    var sums = [Double](repeating: 0, count: g.n * g.h * g.w * g.c)
    forEachOutput(g) { n, p, q, c, output in
      let share = Double(dy[output]) / Double(elements(g, p, q, countPadding))
      forEachTap(g, n, p, q) { _, pixel in sums[pixel * g.c + c] += share }
    }
    for i in sums.indices { dx[i] = T(sums[i]) }
  }

  @inline(__always)
  private static func forEachOutput(
    _ g: PoolingGeometry, _ body: (_ n: Int, _ p: Int, _ q: Int, _ c: Int, _ output: Int) -> Void
  ) {
    var output = 0
    for n in 0..<g.n {
      for p in 0..<g.p {
        for q in 0..<g.q {
          for c in 0..<g.c {
            body(n, p, q, c, output)
            output += 1
          }
        }
      }
    }
  }

  /// The taps of a window inside the image, in scan order, and the numbers of their pixels in [N,H,W].
  @inline(__always)
  private static func forEachTap(
    _ g: PoolingGeometry, _ n: Int, _ p: Int, _ q: Int, _ body: (_ tap: Int, _ pixel: Int) -> Void
  ) {
    for r in 0..<g.r {
      let row = p * g.strideY - g.padTop + r * g.dilationY
      if row < 0 || row >= g.h { continue }
      for s in 0..<g.s {
        let column = q * g.strideX - g.padLeft + s * g.dilationX
        if column < 0 || column >= g.w { continue }
        body(r * g.s + s, (n * g.h + row) * g.w + column)
      }
    }
  }

  /// How many elements the mean of window p, q is taken over.
  private static func elements(_ g: PoolingGeometry, _ p: Int, _ q: Int, _ countPadding: Bool) -> Int {
    let (top, left) = (p * g.strideY - g.padTop, q * g.strideX - g.padLeft)
    let rows = (0..<g.r).count { r in
      let row = top + r * g.dilationY
      return countPadding ? row < g.h + g.padBottom : row >= 0 && row < g.h
    }
    let columns = (0..<g.s).count { s in
      let column = left + s * g.dilationX
      return countPadding ? column < g.w + g.padRight : column >= 0 && column < g.w
    }
    return rows * columns
  }
}
