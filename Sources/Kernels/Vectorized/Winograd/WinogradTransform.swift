import CTesseraShims
import TesseraKernelContract

/// The transforms of F(4x4, 3x3), of F(2x2, 5x5) and of their transposes, one vector of channels at a time.
///
/// y = A^T [(G g G^T) . (B^T d B)] A for a tile of 6 x 6 inputs d, weights g and outputs y, and for the gradient dg = G^T
/// [(B^T d B) . (A dy A^T)] G. B is the same for 3 x 3 weights with 4 x 4 outputs, which are here, and for 5 x 5 with 2 x
/// 2, which are in an extension. The matrices follow from interpolation at 0, +-a, +-b and infinity
/// (Toom and Cook; Lavin and Gray 2015). With a = 3/4 and b = 3/2 all constants of A and B are exact, and the error is
/// a quarter of that at the usual 1 and 2: 3e-6 of the largest output for 256 channels of unit-normal data, found by
/// simulating candidates in single precision. Points are numbered row by row, 0...35.
enum Winograd {
  /// Inputs of a tile in each direction.
  static var inputs: Int { 6 }
  /// Outputs of a tile in each direction, for so many taps.
  static func outputs(window: Int) -> Int { inputs + 1 - window }
  /// Products of a tile and pair of channels.
  static var points: Int { 36 }

  static var a: Float { 0.75 }
  static var b: Float { 1.5 }
  static var aa: Float { a * a }
  static var bb: Float { b * b }
  // The Lagrange denominators of +-a and +-b.
  static var na: Float { 2 * aa * (aa - bb) }
  static var nb: Float { 2 * bb * (bb - aa) }

  @inline(__always)
  static func constant(_ value: Float) -> Vector { Vector(repeating: value) }

  typealias Three = (Vector, Vector, Vector)
  typealias Four = (Vector, Vector, Vector, Vector)
  typealias Six = (Vector, Vector, Vector, Vector, Vector, Vector)

  // MARK: One direction

  /// Rows 0, 1, 2 of B^T d.
  @inline(__always)
  private static func firstRows(
    _ d0: Vector, _ d1: Vector, _ d2: Vector, _ d3: Vector, _ d4: Vector
  ) -> Three {
    let even = multiplyAddWhole(d4, d2, constant(-bb))
    let odd = multiplyAddWhole(d3, d1, constant(-bb))
    return (
      multiplyAddWhole(multiplyAddWhole(d4, d2, constant(-aa - bb)), d0, constant(aa * bb)),
      multiplyAddWhole(even, odd, constant(a)), multiplyAddWhole(even, odd, constant(-a))
    )
  }

  /// Rows 3, 4, 5 of B^T d.
  @inline(__always)
  private static func lastRows(
    _ d1: Vector, _ d2: Vector, _ d3: Vector, _ d4: Vector, _ d5: Vector
  ) -> Three {
    let even = multiplyAddWhole(d4, d2, constant(-aa))
    let odd = multiplyAddWhole(d3, d1, constant(-aa))
    return (
      multiplyAddWhole(even, odd, constant(b)), multiplyAddWhole(even, odd, constant(-b)),
      multiplyAddWhole(multiplyAddWhole(d5, d3, constant(-aa - bb)), d1, constant(aa * bb))
    )
  }

  /// A^T m
  @inline(__always)
  private static func outputs(_ m: Six) -> Four {
    let (sumA, differenceA) = (m.1 + m.2, m.1 - m.2)
    let (sumB, differenceB) = (m.3 + m.4, m.3 - m.4)
    return (
      m.0 + sumA + sumB, multiplyAddWhole(differenceA * constant(a), differenceB, constant(b)),
      multiplyAddWhole(sumA * constant(aa), sumB, constant(bb)),
      multiplyAddWhole(multiplyAddWhole(m.5, differenceA, constant(a * aa)), differenceB, constant(b * bb))
    )
  }

  /// A y
  @inline(__always)
  private static func spread(_ y: Four) -> Six {
    let (evenA, oddA) = (multiplyAddWhole(y.0, y.2, constant(aa)), multiplyAddWhole(y.1, y.3, constant(aa)))
    let (evenB, oddB) = (multiplyAddWhole(y.0, y.2, constant(bb)), multiplyAddWhole(y.1, y.3, constant(bb)))
    return (
      y.0, multiplyAddWhole(evenA, oddA, constant(a)), multiplyAddWhole(evenA, oddA, constant(-a)),
      multiplyAddWhole(evenB, oddB, constant(b)), multiplyAddWhole(evenB, oddB, constant(-b)), y.3
    )
  }

  /// G g
  @inline(__always)
  private static func weights(_ g: Three) -> Six {
    let evenA = multiplyAddWhole(g.0 * constant(1 / na), g.2, constant(aa / na))
    let evenB = multiplyAddWhole(g.0 * constant(1 / nb), g.2, constant(bb / nb))
    return (
      g.0 * constant(1 / (aa * bb)), multiplyAddWhole(evenA, g.1, constant(a / na)),
      multiplyAddWhole(evenA, g.1, constant(-a / na)),
      multiplyAddWhole(evenB, g.1, constant(b / nb)), multiplyAddWhole(evenB, g.1, constant(-b / nb)), g.2
    )
  }

  /// G^T m
  @inline(__always)
  private static func gradient(_ m: Six) -> Three {
    let (sumA, differenceA) = (m.1 + m.2, m.1 - m.2)
    let (sumB, differenceB) = (m.3 + m.4, m.3 - m.4)
    return (
      multiplyAddWhole(multiplyAddWhole(m.0 * constant(1 / (aa * bb)), sumA, constant(1 / na)), sumB, constant(1 / nb)),
      multiplyAddWhole(differenceA * constant(a / na), differenceB, constant(b / nb)),
      multiplyAddWhole(multiplyAddWhole(m.5, sumA, constant(aa / na)), sumB, constant(bb / nb))
    )
  }

  // MARK: Tiles. Straight code on whole vectors: neither closures, which aren't inlined that often, nor vectors across
  // calls, which would be cut into quarters.

  /// Where each pixel of a tile is. Those outside the image point to zeros, or to memory that nobody reads.
  typealias Pixels = UnsafePointer<UnsafePointer<Float>>
  typealias Target = UnsafeMutablePointer<Float>

  /// The next calls write behind `target`: 36 streams are more than the hardware follows, and a store that waits for its
  /// line from level 3 holds up all behind it.
  @inline(__always)
  private static func storePoint(_ value: Vector, _ target: Target, _ streams: Bool) {
    if streams {
      stream(value, target)
    } else {
      store(value, target)
      tessera_prefetch_to_write(target + 4 &* lanes)
    }
  }

  @inline(__always)
  static func storeRow(
    _ row: Int, _ v: Six, _ target: Target, _ step: Int, streams: Bool = false
  ) {
    let target = target + row &* 6 &* step
    storePoint(v.0, target, streams)
    storePoint(v.1, target + step, streams)
    storePoint(v.2, target + 2 &* step, streams)
    storePoint(v.3, target + 3 &* step, streams)
    storePoint(v.4, target + 4 &* step, streams)
    storePoint(v.5, target + 5 &* step, streams)
  }

  @inline(__always)
  private static func storeInputRow(
    _ row: Int, _ d0: Vector, _ d1: Vector, _ d2: Vector, _ d3: Vector, _ d4: Vector, _ d5: Vector,
    _ target: Target, _ step: Int
  ) {
    let (v0, v1, v2) = firstRows(d0, d1, d2, d3, d4)
    let (v3, v4, v5) = lastRows(d1, d2, d3, d4, d5)
    storeRow(row, (v0, v1, v2, v3, v4, v5), target, step)
  }

  @inline(__always)
  static func pixel(_ pixels: Pixels, _ index: Int, _ channel: Int) -> Vector {
    load(pixels[index] + channel)
  }

  /// Asks for two lines further on of each pixel: so many streams are more than the hardware follows, and each would wait for
  /// level 3.
  @inline(__always)
  static func askAhead(_ pixels: Pixels, count: Int, _ channel: Int) {
    guard channel & 15 == 0 else { return }
    for index in 0..<count { tessera_prefetch(pixels[index] + (channel &+ 32)) }
  }

  @inline(__always)
  private static func firstRows(_ pixels: Pixels, _ j: Int, _ c: Int) -> Three {
    firstRows(
      pixel(pixels, j, c), pixel(pixels, 6 &+ j, c), pixel(pixels, 12 &+ j, c), pixel(pixels, 18 &+ j, c),
      pixel(pixels, 24 &+ j, c))
  }

  @inline(__always)
  private static func lastRows(_ pixels: Pixels, _ j: Int, _ c: Int) -> Three {
    lastRows(
      pixel(pixels, 6 &+ j, c), pixel(pixels, 12 &+ j, c), pixel(pixels, 18 &+ j, c), pixel(pixels, 24 &+ j, c),
      pixel(pixels, 30 &+ j, c))
  }

  /// target[i step] = (B^T d B)[i] for the 6 x 6 pixels d, channels c up to a vector's end. The rows are made in two
  /// halves, for which the pixels are read twice: 18 vectors stay in registers, 36 wouldn't, and a store costs two loads.
  @inline(never)
  static func transformInput(_ pixels: Pixels, channel c: Int, _ target: Target, step: Int) {
    askAhead(pixels, count: 36, c)
    let (p0, p1, p2) = (firstRows(pixels, 0, c), firstRows(pixels, 1, c), firstRows(pixels, 2, c))
    let (p3, p4, p5) = (firstRows(pixels, 3, c), firstRows(pixels, 4, c), firstRows(pixels, 5, c))
    storeInputRow(0, p0.0, p1.0, p2.0, p3.0, p4.0, p5.0, target, step)
    storeInputRow(1, p0.1, p1.1, p2.1, p3.1, p4.1, p5.1, target, step)
    storeInputRow(2, p0.2, p1.2, p2.2, p3.2, p4.2, p5.2, target, step)
    let (q0, q1, q2) = (lastRows(pixels, 0, c), lastRows(pixels, 1, c), lastRows(pixels, 2, c))
    let (q3, q4, q5) = (lastRows(pixels, 3, c), lastRows(pixels, 4, c), lastRows(pixels, 5, c))
    storeInputRow(3, q0.0, q1.0, q2.0, q3.0, q4.0, q5.0, target, step)
    storeInputRow(4, q0.1, q1.1, q2.1, q3.1, q4.1, q5.1, target, step)
    storeInputRow(5, q0.2, q1.2, q2.2, q3.2, q4.2, q5.2, target, step)
  }

  @inline(__always)
  private static func outputColumn(_ m: UnsafePointer<Float>, _ j: Int, _ step: Int) -> Four {
    outputs(pointColumn(m, j, step))
  }

  @inline(__always)
  static func pointColumn(_ m: UnsafePointer<Float>, _ j: Int, _ step: Int) -> Six {
    let m = m + j &* step
    let row = 6 &* step
    return (load(m), load(m + row), load(m + 2 &* row), load(m + 3 &* row), load(m + 4 &* row), load(m + 5 &* row))
  }

  @inline(__always)
  private static func storeOutputRow(
    _ row: Int, _ m: Six, _ bias: Vector, _ least: Vector, _ pixels: UnsafePointer<Target>, _ k: Int
  ) {
    let y = outputs(m)
    store(atLeast(least, y.0 + bias), pixels[row &* 4] + k)
    store(atLeast(least, y.1 + bias), pixels[row &* 4 &+ 1] + k)
    store(atLeast(least, y.2 + bias), pixels[row &* 4 &+ 2] + k)
    store(atLeast(least, y.3 + bias), pixels[row &* 4 &+ 3] + k)
  }

  /// The 4 x 4 pixels max(A^T m A + bias, least) of a vector of filters from k on, with the points m `step` apart.
  @inline(never)
  static func transformOutput4x4(
    _ m: UnsafePointer<Float>, step: Int, bias: UnsafePointer<Float>, least: Float, _ pixels: UnsafePointer<Target>,
    filter k: Int
  ) {
    let (c0, c1, c2) = (outputColumn(m, 0, step), outputColumn(m, 1, step), outputColumn(m, 2, step))
    let (c3, c4, c5) = (outputColumn(m, 3, step), outputColumn(m, 4, step), outputColumn(m, 5, step))
    let (bias, least) = (load(bias), constant(least))
    storeOutputRow(0, (c0.0, c1.0, c2.0, c3.0, c4.0, c5.0), bias, least, pixels, k)
    storeOutputRow(1, (c0.1, c1.1, c2.1, c3.1, c4.1, c5.1), bias, least, pixels, k)
    storeOutputRow(2, (c0.2, c1.2, c2.2, c3.2, c4.2, c5.2), bias, least, pixels, k)
    storeOutputRow(3, (c0.3, c1.3, c2.3, c3.3, c4.3, c5.3), bias, least, pixels, k)
  }

  @inline(__always)
  private static func weightColumn(_ g: UnsafePointer<Float>, _ tapStep: Int) -> Six {
    weights((load(g), load(g + 3 &* tapStep), load(g + 6 &* tapStep)))
  }

  @inline(__always)
  private static func transformWeights3x3(
    _ g: UnsafePointer<Float>, _ tapStep: Int, _ target: Target, _ step: Int, streams: Bool
  ) {
    let (c0, c1, c2) = (
      weightColumn(g, tapStep), weightColumn(g + tapStep, tapStep), weightColumn(g + 2 &* tapStep, tapStep)
    )
    storeRow(0, weights((c0.0, c1.0, c2.0)), target, step, streams: streams)
    storeRow(1, weights((c0.1, c1.1, c2.1)), target, step, streams: streams)
    storeRow(2, weights((c0.2, c1.2, c2.2)), target, step, streams: streams)
    storeRow(3, weights((c0.3, c1.3, c2.3)), target, step, streams: streams)
    storeRow(4, weights((c0.4, c1.4, c2.4)), target, step, streams: streams)
    storeRow(5, weights((c0.5, c1.5, c2.5)), target, step, streams: streams)
  }

  /// target[i step] = (G g G^T)[i] for one vector of 3 x 3 weights g, `tapStep` apart.
  /// - Parameter streams: whether the results go past the caches, as ``stream(_:_:)`` demands.
  @inline(never)
  static func transformWeights3x3(
    _ g: UnsafePointer<Float>, tapStep: Int, _ target: Target, step: Int, streams: Bool
  ) {
    if streams {
      transformWeights3x3(g, tapStep, target, step, streams: true)
    } else {
      transformWeights3x3(g, tapStep, target, step, streams: false)
    }
  }

  @inline(__always)
  private static func spreadColumn(_ pixels: Pixels, _ j: Int, _ k: Int) -> Six {
    spread((pixel(pixels, j, k), pixel(pixels, 4 &+ j, k), pixel(pixels, 8 &+ j, k), pixel(pixels, 12 &+ j, k)))
  }

  /// target[i step] = (A dy A^T)[i] for the 4 x 4 pixels dy, filters k up to a vector's end.
  @inline(never)
  static func transformOutputGradient4x4(_ pixels: Pixels, filter k: Int, _ target: Target, step: Int) {
    askAhead(pixels, count: 16, k)
    let (c0, c1) = (spreadColumn(pixels, 0, k), spreadColumn(pixels, 1, k))
    let (c2, c3) = (spreadColumn(pixels, 2, k), spreadColumn(pixels, 3, k))
    storeRow(0, spread((c0.0, c1.0, c2.0, c3.0)), target, step)
    storeRow(1, spread((c0.1, c1.1, c2.1, c3.1)), target, step)
    storeRow(2, spread((c0.2, c1.2, c2.2, c3.2)), target, step)
    storeRow(3, spread((c0.3, c1.3, c2.3, c3.3)), target, step)
    storeRow(4, spread((c0.4, c1.4, c2.4, c3.4)), target, step)
    storeRow(5, spread((c0.5, c1.5, c2.5, c3.5)), target, step)
  }

  @inline(__always)
  private static func addGradientRow(
    _ row: Int, _ m: Six, _ target: Target, _ tapStep: Int, _ valid: Int, _ accumulates: Bool
  ) {
    let g = gradient(m)
    let target = target + row &* 3 &* tapStep
    add(g.0, target, valid, accumulates)
    add(g.1, target + tapStep, valid, accumulates)
    add(g.2, target + 2 &* tapStep, valid, accumulates)
  }

  @inline(__always)
  static func add(_ g: Vector, _ target: Target, _ valid: Int, _ accumulates: Bool) {
    storeFirst(valid, accumulates ? loadFirst(valid, target) + g : g, target)
  }

  /// target[t tapStep] = (G^T m G)[t] for each tap t of one vector of filters, of which `valid` exist; with
  /// `accumulates` it is added.
  @inline(never)
  static func transformWeightGradient3x3(
    _ m: UnsafePointer<Float>, step: Int, _ target: Target, tapStep: Int, valid: Int, accumulates: Bool
  ) {
    let (c0, c1) = (gradient(pointColumn(m, 0, step)), gradient(pointColumn(m, 1, step)))
    let (c2, c3) = (gradient(pointColumn(m, 2, step)), gradient(pointColumn(m, 3, step)))
    let (c4, c5) = (gradient(pointColumn(m, 4, step)), gradient(pointColumn(m, 5, step)))
    addGradientRow(0, (c0.0, c1.0, c2.0, c3.0, c4.0, c5.0), target, tapStep, valid, accumulates)
    addGradientRow(1, (c0.1, c1.1, c2.1, c3.1, c4.1, c5.1), target, tapStep, valid, accumulates)
    addGradientRow(2, (c0.2, c1.2, c2.2, c3.2, c4.2, c5.2), target, tapStep, valid, accumulates)
  }

  // MARK: What is served

  /// Why neither F(4x4, 3x3) nor F(2x2, 5x5) computes a geometry; nil if one does.
  static func refusal(_ g: ConvolutionGeometry, _ numerics: Numerics) -> String? {
    if numerics == .exact { return "products of sums, where exact sums are asked for" }
    if (g.r, g.s) != (3, 3) && (g.r, g.s) != (5, 5) { return "a window of \(g.r)x\(g.s), neither 3x3 nor 5x5" }
    if g.strideY != 1 || g.strideX != 1 { return "a stride of \(g.strideY)x\(g.strideX), not 1" }
    if g.groups != 1 { return "\(g.groups) groups, not one" }
    return nil
  }
}
