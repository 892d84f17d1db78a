public import TesseraKernelContract

extension Kernels {
  public static func averagePool(
    _ geometry: PoolingGeometry, countPadding: Bool, rows: Range<Int>, x: UnsafePointer<Float>,
    y: UnsafeMutablePointer<Float>
  ) {
    let g = geometry
    forEachWindow(g, rows: rows) { image, output, r, s, top, left in
      let count =
        countPadding ? paddedCount(g, top: top, left: left) : r.count &* s.count
      // An empty window divides 0 by 1.
      let divisor = Float(max(count, 1))
      forEachVector(g.c) { c, valid in
        var sum = Vector.zero
        for i in r {
          for j in s { sum += load(x + pixel(g, image, top, left, i, j) + c, valid: valid) }
        }
        store(sum / divisor, y + output + c, valid: valid)
      }
    }
  }

  public static func averagePoolBackward(
    _ geometry: PoolingGeometry, countPadding: Bool, rows: Range<Int>, dy: UnsafePointer<Float>,
    dx: UnsafeMutablePointer<Float>
  ) {
    let g = geometry
    forEachSource(g, rows: rows, dx: dx) { output, target, _, top, left in
      let divisor = Float(
        countPadding
          ? paddedCount(g, top: top, left: left)
          : tapsInside(g.r, top, g.dilationY, g.h).count
            &* tapsInside(g.s, left, g.dilationX, g.w).count)
      forEachVector(g.c) { c, valid in
        let share = load(dy + output + c, valid: valid) / divisor
        store(load(dx + target + c, valid: valid) + share, dx + target + c, valid: valid)
      }
    }
  }
}

/// Elements of a window that lie in the padded image.
@inline(__always)
private func paddedCount(_ g: PoolingGeometry, top: Int, left: Int) -> Int {
  let rows = tapsInside(g.r, top &+ g.padTop, g.dilationY, g.h &+ g.padTop &+ g.padBottom)
  let columns = tapsInside(g.s, left &+ g.padLeft, g.dilationX, g.w &+ g.padLeft &+ g.padRight)
  return rows.count &* columns.count
}
