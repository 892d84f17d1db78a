public import TesseraKernelContract

extension Kernels {
  public static func maxPool(
    _ geometry: PoolingGeometry, rows: Range<Int>, x: UnsafePointer<Float>,
    y: UnsafeMutablePointer<Float>, mask: UnsafeMutablePointer<Int32>
  ) {
    let g = geometry
    forEachWindow(g, rows: rows) { image, output, r, s, top, left in
      forEachVector(g.c) { c, valid in
        var best = Vector(repeating: -.infinity)
        var number = IntVector.zero
        if let firstR = r.first, let firstS = s.first {
          // The window's first element is the start, so that one of -infinity only has its number too.
          number = IntVector(repeating: Int32(truncatingIfNeeded: firstR &* g.s &+ firstS))
          best = load(x + pixel(g, image, top, left, firstR, firstS) + c, valid: valid)
        }
        for i in r {
          for j in s {
            let value = load(x + pixel(g, image, top, left, i, j) + c, valid: valid)
            // Greater, or the first NaN.
            let wins = (value .> best) .| ((value .!= value) .& (best .== best))
            best.replace(with: value, where: wins)
            number.replace(
              with: IntVector(repeating: Int32(truncatingIfNeeded: i &* g.s &+ j)), where: wins)
          }
        }
        store(best, y + output + c, valid: valid)
        store(number, mask + output + c, valid: valid)
      }
    }
  }

  public static func maxPoolBackward(
    _ geometry: PoolingGeometry, rows: Range<Int>, dy: UnsafePointer<Float>,
    mask: UnsafePointer<Int32>, dx: UnsafeMutablePointer<Float>
  ) {
    let g = geometry
    forEachSource(g, rows: rows, dx: dx) { output, target, tap, _, _ in
      let number = IntVector(repeating: Int32(truncatingIfNeeded: tap))
      forEachVector(g.c) { c, valid in
        let chosen = load(mask + output + c, valid: valid) .== number
        let share = Vector.zero.replacing(with: load(dy + output + c, valid: valid), where: chosen)
        store(load(dx + target + c, valid: valid) + share, dx + target + c, valid: valid)
      }
    }
  }
}
