import TesseraKernels
import TesseraVerification
import Testing

@Suite struct PoolingTests {
  /// Windows that overlap, leave gaps, are dilated, hang over every edge, lie wholly in the padding or beyond it.
  static func geometries(_ set: InstructionSet) -> [PoolingGeometry] {
    counts(set).flatMap { c in
      [
        PoolingGeometry(n: 2, h: 6, w: 4, c: c, p: 3, q: 2, r: 2, s: 2, strideY: 2, strideX: 2),
        PoolingGeometry(
          n: 1, h: 5, w: 7, c: c, p: 3, q: 4, r: 3, s: 3, strideY: 2, strideX: 2, padTop: 1, padLeft: 1,
          padBottom: 1, padRight: 1),
        PoolingGeometry(
          n: 2, h: 5, w: 4, c: c, p: 6, q: 4, r: 3, s: 2, strideY: 1, strideX: 1, dilationY: 2,
          dilationX: 3, padTop: 3, padLeft: 2, padBottom: 2, padRight: 1),
        PoolingGeometry(n: 1, h: 7, w: 7, c: c, p: 2, q: 2, r: 1, s: 2, strideY: 5, strideX: 4),
        PoolingGeometry(
          n: 1, h: 3, w: 3, c: c, p: 5, q: 5, r: 2, s: 2, strideY: 2, strideX: 2, padTop: 4, padLeft: 4,
          padBottom: 3, padRight: 3),
        PoolingGeometry(n: 2, h: 4, w: 5, c: c, p: 1, q: 1, r: 4, s: 5, strideY: 1, strideX: 1),
      ]
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func maximum(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for g in Self.geometries(set) {
      // Few different values give ties; NaN and -infinity occur.
      let values = random(g.n * g.h * g.w * g.c, seed: 4, 0, 8).map { value -> Float in
        value < 0.2 ? .nan : value < 1 ? -.infinity : value.rounded(.down)
      }
      let count = g.n * g.p * g.q * g.c
      let x = GuardedBuffer(values)
      let y = GuardedBuffer<Float>.poisoned(count)
      let mask = GuardedBuffer<Int32>(repeating: -1, count: count)
      var expected = [Float](repeating: 0, count: count)
      var expectedMask = [Int32](repeating: 0, count: count)
      Reference.maxPool(g, x: x.pointer, y: &expected, mask: &expectedMask)
      // Rows one by one and from the last: each depends on itself only.
      for row in (0..<g.n * g.p).reversed() {
        kernels.maxPool(g, rows: row..<row + 1, x: x.pointer, y: y.pointer, mask: mask.pointer, streams: false)
      }
      expectSame(y.values, expected, "maxPool \(set) \(g)")
      #expect(mask.values == expectedMask, "maxPool mask \(set) \(g)")

      let dy = GuardedBuffer(random(count, seed: 5))
      let dx = GuardedBuffer<Float>.poisoned(x.count)
      var gradient = [Double](repeating: 0, count: x.count)
      var magnitude = gradient
      Reference.maxPoolBackward(g, dy: dy.doubles, mask: mask.pointer, dx: &gradient)
      Reference.maxPoolBackward(g, dy: dy.doubles.map(abs), mask: mask.pointer, dx: &magnitude)
      for row in (0..<g.n * g.h).reversed() {
        kernels.maxPoolBackward(
          g, rows: row..<row + 1, dy: dy.pointer, mask: mask.pointer, dx: dx.pointer, streams: false)
      }
      expectClose(dx.values, gradient, "maxPoolBackward \(set) \(g)") {
        gamma(g.r * g.s) * magnitude[$0]
      }
    }
  }

  @Test(arguments: KernelCatalogue.supported, [false, true])
  func average(_ set: InstructionSet, countPadding: Bool) throws {
    let kernels = try kernels(of: set)
    for g in Self.geometries(set) {
      let x = GuardedBuffer(random(g.n * g.h * g.w * g.c, seed: 6))
      let count = g.n * g.p * g.q * g.c
      let y = GuardedBuffer<Float>.poisoned(count)
      var expected = [Double](repeating: 0, count: count)
      var magnitude = expected
      Reference.averagePool(g, countPadding: countPadding, x: x.doubles, y: &expected)
      Reference.averagePool(g, countPadding: countPadding, x: x.doubles.map(abs), y: &magnitude)
      kernels.averagePool(
        g, countPadding: countPadding, rows: 0..<g.n * g.p, x: x.pointer, y: y.pointer, streams: false)
      expectClose(y.values, expected, "averagePool \(set) \(g)") { gamma(g.r * g.s + 2) * magnitude[$0] }

      let dy = GuardedBuffer(random(count, seed: 7))
      let dx = GuardedBuffer<Float>.poisoned(x.count)
      var gradient = [Double](repeating: 0, count: x.count)
      magnitude = gradient
      Reference.averagePoolBackward(g, countPadding: countPadding, dy: dy.doubles, dx: &gradient)
      Reference.averagePoolBackward(
        g, countPadding: countPadding, dy: dy.doubles.map(abs), dx: &magnitude)
      kernels.averagePoolBackward(
        g, countPadding: countPadding, rows: 0..<g.n * g.h, dy: dy.pointer, dx: dx.pointer, streams: false)
      expectClose(dx.values, gradient, "averagePoolBackward \(set) \(g)") {
        gamma(g.r * g.s + 2) * magnitude[$0]
      }
    }
  }

  /// The first of equal maxima wins, the first NaN beats all, and -infinity alone still has its number.
  @Test(arguments: KernelCatalogue.supported)
  func tiesAndNaN(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let g = PoolingGeometry(n: 1, h: 2, w: 2, c: 1, p: 1, q: 1, r: 2, s: 2, strideY: 2, strideX: 2)
    for (x, number): ([Float], Int32) in [
      ([1, 3, 3, 2], 1), ([0, -0.0, -0.0, 0], 0), ([5, .nan, 9, .nan], 1), ([.nan, .infinity, 1, 2], 0),
      ([-.infinity, -.infinity, -.infinity, -.infinity], 0),
    ] {
      var (y, mask): (Float, Int32) = (0, -1)
      kernels.maxPool(g, rows: 0..<1, x: x, y: &y, mask: &mask, streams: false)
      #expect(mask == number, "\(set) \(x)")
      #expect(y == x[Int(number)] || y.isNaN && x[Int(number)].isNaN, "\(set) \(x)")
    }
  }

  /// A lecture's example of 6 x 6.
  @Test(arguments: KernelCatalogue.supported)
  func sixBySixExample(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let x: [Float] = [
      4, 1, 1, 3, 3, 4,
      8, 6, 0, 5, 2, 2,
      0, 6, 9, 5, 1, 8,
      4, 8, 5, 7, 4, 2,
      9, 8, 5, 9, 3, 0,
      3, 6, 7, 4, 7, 5,
    ]
    let g = PoolingGeometry(n: 1, h: 6, w: 6, c: 1, p: 3, q: 3, r: 2, s: 2, strideY: 2, strideX: 2)
    var y = [Float](repeating: .nan, count: 9)
    var mask = [Int32](repeating: -1, count: 9)
    kernels.maxPool(g, rows: 0..<3, x: x, y: &y, mask: &mask, streams: false)
    #expect(y == [8, 5, 4, 8, 9, 8, 9, 9, 7])
  }

  /// A lecture's example of 4 x 4 with its mask [1, 2, 9, 10]. It numbers elements from 0, column by column, outputs
  /// too.
  @Test(arguments: KernelCatalogue.supported)
  func fourByFourExample(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let x: [Float] = [
      4, 1, 3, 3,
      8, 6, 5, 2,
      9, 8, 9, 3,
      3, 6, 4, 7,
    ]
    let g = PoolingGeometry(n: 1, h: 4, w: 4, c: 1, p: 2, q: 2, r: 2, s: 2, strideY: 2, strideX: 2)
    var y = [Float](repeating: .nan, count: 4)
    var mask = [Int32](repeating: -1, count: 4)
    kernels.maxPool(g, rows: 0..<2, x: x, y: &y, mask: &mask, streams: false)
    #expect(y == [8, 5, 9, 9])

    // Output p, q takes tap r, s of its window, element (2 p + r, 2 q + s) of the image.
    let byColumns = (0..<4).map { number -> Int in
      let (p, q) = (number % 2, number / 2)
      let tap = Int(mask[2 * p + q])
      return (2 * q + tap % 2) * 4 + 2 * p + tap / 2
    }
    #expect(byColumns == [1, 2, 9, 10])

    // dy0 ... dy3 column by column are 10, 20, 30, 40.
    var dx = [Float](repeating: .nan, count: 16)
    kernels.maxPoolBackward(g, rows: 0..<4, dy: [10, 30, 20, 40], mask: mask, dx: &dx, streams: false)
    #expect(
      dx == [
        0, 0, 0, 0,
        10, 0, 30, 0,
        20, 0, 40, 0,
        0, 0, 0, 0,
      ])
  }
}
