/// The transforms of F(2x2, 5x5) and of its transpose F(5x5, 2x2), and which of the two kinds a window takes.
extension Winograd {
  typealias Two = (Vector, Vector)

  private static var a3: Float { a * aa }
  private static var b3: Float { b * bb }
  private static var a4: Float { aa * aa }
  private static var b4: Float { bb * bb }

  // MARK: One direction

  /// A^T m
  @inline(__always)
  private static func twoOutputs(_ m: Six) -> Two {
    (
      m.0 + (m.1 + m.2) + (m.3 + m.4),
      multiplyAddWhole(multiplyAddWhole(m.5, m.1 - m.2, constant(a)), m.3 - m.4, constant(b))
    )
  }

  /// A y
  @inline(__always)
  private static func spread(_ y: Two) -> Six {
    (
      y.0, multiplyAddWhole(y.0, y.1, constant(a)), multiplyAddWhole(y.0, y.1, constant(-a)),
      multiplyAddWhole(y.0, y.1, constant(b)), multiplyAddWhole(y.0, y.1, constant(-b)), y.1
    )
  }

  typealias Five = (Vector, Vector, Vector, Vector, Vector)

  /// The rows of G g that belong to the points x and -x, whose denominator is n.
  @inline(__always)
  private static func rows(_ g: Five, at x: Float, _ n: Float) -> Two {
    let (xx, x4) = (x * x, x * x * x * x)
    let even = multiplyAddWhole(
      multiplyAddWhole(g.0 * constant(1 / n), g.2, constant(xx / n)), g.4, constant(x4 / n))
    let odd = multiplyAddWhole(g.1 * constant(x / n), g.3, constant(x * xx / n))
    return (even + odd, even - odd)
  }

  /// Row 0 of G g.
  @inline(__always)
  private static func firstRow(_ g: Five) -> Vector { g.0 * constant(1 / (aa * bb)) }

  /// G g
  @inline(__always)
  private static func weights(_ g: Five) -> Six {
    let (rowsA, rowsB) = (rows(g, at: a, na), rows(g, at: b, nb))
    return (firstRow(g), rowsA.0, rowsA.1, rowsB.0, rowsB.1, g.4)
  }

  /// Elements 0, 2, 4 of G^T m.
  @inline(__always)
  private static func evenGradients(_ m: Six) -> Three {
    let (sumA, sumB) = (m.1 + m.2, m.3 + m.4)
    return (
      multiplyAddWhole(multiplyAddWhole(m.0 * constant(1 / (aa * bb)), sumA, constant(1 / na)), sumB, constant(1 / nb)),
      multiplyAddWhole(sumA * constant(aa / na), sumB, constant(bb / nb)),
      multiplyAddWhole(multiplyAddWhole(m.5, sumA, constant(a4 / na)), sumB, constant(b4 / nb))
    )
  }

  /// Elements 1 and 3 of G^T m.
  @inline(__always)
  private static func oddGradients(_ m: Six) -> Two {
    let (differenceA, differenceB) = (m.1 - m.2, m.3 - m.4)
    return (
      multiplyAddWhole(differenceA * constant(a / na), differenceB, constant(b / nb)),
      multiplyAddWhole(differenceA * constant(a3 / na), differenceB, constant(b3 / nb))
    )
  }

  // MARK: Tiles

  @inline(__always)
  private static func weightColumn(_ g: UnsafePointer<Float>, _ j: Int, _ tapStep: Int) -> Five {
    let g = g + j &* tapStep
    return (
      load(g), load(g + 5 &* tapStep), load(g + 10 &* tapStep), load(g + 15 &* tapStep), load(g + 20 &* tapStep)
    )
  }

  /// Rows 0, 1, 2 of G g for one column.
  @inline(__always)
  private static func firstRows(_ g: UnsafePointer<Float>, _ j: Int, _ tapStep: Int) -> Three {
    let g = weightColumn(g, j, tapStep)
    let rowsA = rows(g, at: a, na)
    return (firstRow(g), rowsA.0, rowsA.1)
  }

  /// Rows 3, 4, 5 of G g for one column.
  @inline(__always)
  private static func lastRows(_ g: UnsafePointer<Float>, _ j: Int, _ tapStep: Int) -> Three {
    let g = weightColumn(g, j, tapStep)
    let rowsB = rows(g, at: b, nb)
    return (rowsB.0, rowsB.1, g.4)
  }

  @inline(__always)
  private static func storeOutputPair(
    _ row: Int, _ m: Six, _ bias: Vector, _ least: Vector, _ pixels: UnsafePointer<Target>, _ k: Int
  ) {
    let y = twoOutputs(m)
    store(atLeast(least, y.0 + bias), pixels[row &* 2] + k)
    store(atLeast(least, y.1 + bias), pixels[row &* 2 &+ 1] + k)
  }

  @inline(never)
  static func transformOutput2x2(
    _ m: UnsafePointer<Float>, step: Int, bias: UnsafePointer<Float>, least: Float, _ pixels: UnsafePointer<Target>,
    filter k: Int
  ) {
    let (c0, c1) = (twoOutputs(pointColumn(m, 0, step)), twoOutputs(pointColumn(m, 1, step)))
    let (c2, c3) = (twoOutputs(pointColumn(m, 2, step)), twoOutputs(pointColumn(m, 3, step)))
    let (c4, c5) = (twoOutputs(pointColumn(m, 4, step)), twoOutputs(pointColumn(m, 5, step)))
    let (bias, least) = (load(bias), constant(least))
    storeOutputPair(0, (c0.0, c1.0, c2.0, c3.0, c4.0, c5.0), bias, least, pixels, k)
    storeOutputPair(1, (c0.1, c1.1, c2.1, c3.1, c4.1, c5.1), bias, least, pixels, k)
  }

  /// The rows of G g G^T are made in two halves, for which the weights are read twice: 15 vectors stay in registers.
  @inline(__always)
  private static func transformWeights5x5(
    _ g: UnsafePointer<Float>, _ tapStep: Int, _ target: Target, _ step: Int, streams: Bool
  ) {
    let (p0, p1, p2) = (firstRows(g, 0, tapStep), firstRows(g, 1, tapStep), firstRows(g, 2, tapStep))
    let (p3, p4) = (firstRows(g, 3, tapStep), firstRows(g, 4, tapStep))
    storeRow(0, weights((p0.0, p1.0, p2.0, p3.0, p4.0)), target, step, streams: streams)
    storeRow(1, weights((p0.1, p1.1, p2.1, p3.1, p4.1)), target, step, streams: streams)
    storeRow(2, weights((p0.2, p1.2, p2.2, p3.2, p4.2)), target, step, streams: streams)
    let (q0, q1, q2) = (lastRows(g, 0, tapStep), lastRows(g, 1, tapStep), lastRows(g, 2, tapStep))
    let (q3, q4) = (lastRows(g, 3, tapStep), lastRows(g, 4, tapStep))
    storeRow(3, weights((q0.0, q1.0, q2.0, q3.0, q4.0)), target, step, streams: streams)
    storeRow(4, weights((q0.1, q1.1, q2.1, q3.1, q4.1)), target, step, streams: streams)
    storeRow(5, weights((q0.2, q1.2, q2.2, q3.2, q4.2)), target, step, streams: streams)
  }

  @inline(never)
  static func transformWeights5x5(
    _ g: UnsafePointer<Float>, tapStep: Int, _ target: Target, step: Int, streams: Bool
  ) {
    if streams {
      transformWeights5x5(g, tapStep, target, step, streams: true)
    } else {
      transformWeights5x5(g, tapStep, target, step, streams: false)
    }
  }

  @inline(never)
  static func transformOutputGradient2x2(_ pixels: Pixels, filter k: Int, _ target: Target, step: Int) {
    let c0 = spread((pixel(pixels, 0, k), pixel(pixels, 2, k)))
    let c1 = spread((pixel(pixels, 1, k), pixel(pixels, 3, k)))
    storeRow(0, spread((c0.0, c1.0)), target, step)
    storeRow(1, spread((c0.1, c1.1)), target, step)
    storeRow(2, spread((c0.2, c1.2)), target, step)
    storeRow(3, spread((c0.3, c1.3)), target, step)
    storeRow(4, spread((c0.4, c1.4)), target, step)
    storeRow(5, spread((c0.5, c1.5)), target, step)
  }

  @inline(__always)
  private static func addGradientRow(
    _ row: Int, _ m: Six, _ target: Target, _ tapStep: Int, _ valid: Int, _ accumulates: Bool
  ) {
    let (even, odd) = (evenGradients(m), oddGradients(m))
    let target = target + row &* 5 &* tapStep
    add(even.0, target, valid, accumulates)
    add(odd.0, target + tapStep, valid, accumulates)
    add(even.1, target + 2 &* tapStep, valid, accumulates)
    add(odd.1, target + 3 &* tapStep, valid, accumulates)
    add(even.2, target + 4 &* tapStep, valid, accumulates)
  }

  @inline(never)
  static func transformWeightGradient5x5(
    _ m: UnsafePointer<Float>, step: Int, _ target: Target, tapStep: Int, valid: Int, accumulates: Bool
  ) {
    let (p0, p1) = (evenGradients(pointColumn(m, 0, step)), evenGradients(pointColumn(m, 1, step)))
    let (p2, p3) = (evenGradients(pointColumn(m, 2, step)), evenGradients(pointColumn(m, 3, step)))
    let (p4, p5) = (evenGradients(pointColumn(m, 4, step)), evenGradients(pointColumn(m, 5, step)))
    addGradientRow(0, (p0.0, p1.0, p2.0, p3.0, p4.0, p5.0), target, tapStep, valid, accumulates)
    addGradientRow(2, (p0.1, p1.1, p2.1, p3.1, p4.1, p5.1), target, tapStep, valid, accumulates)
    addGradientRow(4, (p0.2, p1.2, p2.2, p3.2, p4.2, p5.2), target, tapStep, valid, accumulates)
    let (q0, q1) = (oddGradients(pointColumn(m, 0, step)), oddGradients(pointColumn(m, 1, step)))
    let (q2, q3) = (oddGradients(pointColumn(m, 2, step)), oddGradients(pointColumn(m, 3, step)))
    let (q4, q5) = (oddGradients(pointColumn(m, 4, step)), oddGradients(pointColumn(m, 5, step)))
    addGradientRow(1, (q0.0, q1.0, q2.0, q3.0, q4.0, q5.0), target, tapStep, valid, accumulates)
    addGradientRow(3, (q0.1, q1.1, q2.1, q3.1, q4.1, q5.1), target, tapStep, valid, accumulates)
  }

  // MARK: Which of the two

  /// The pixels max(A^T m A + bias, least) of a vector of filters from k on, with the points m `step` apart: 4 x 4 or 2 x 2
  /// `outputs`.
  @inline(__always)
  static func transformOutput(
    outputs: Int, _ m: UnsafePointer<Float>, step: Int, bias: UnsafePointer<Float>, least: Float,
    _ pixels: UnsafePointer<Target>, filter k: Int
  ) {
    if outputs == 4 {
      transformOutput4x4(m, step: step, bias: bias, least: least, pixels, filter: k)
    } else {
      transformOutput2x2(m, step: step, bias: bias, least: least, pixels, filter: k)
    }
  }

  /// target[i step] = (G g G^T)[i] for one vector of 3 x 3 or 5 x 5 weights g, `tapStep` apart.
  /// - Parameter streams: whether the results go past the caches, as ``stream(_:_:)`` demands.
  @inline(__always)
  static func transformWeights(
    window: Int, _ g: UnsafePointer<Float>, tapStep: Int, _ target: Target, step: Int, streams: Bool
  ) {
    if window == 3 {
      transformWeights3x3(g, tapStep: tapStep, target, step: step, streams: streams)
    } else {
      transformWeights5x5(g, tapStep: tapStep, target, step: step, streams: streams)
    }
  }

  /// target[i step] = (A dy A^T)[i] for the pixels dy, 4 x 4 or 2 x 2, filters k up to a vector's end.
  @inline(__always)
  static func transformOutputGradient(
    outputs: Int, _ pixels: Pixels, filter k: Int, _ target: Target, step: Int
  ) {
    if outputs == 4 {
      transformOutputGradient4x4(pixels, filter: k, target, step: step)
    } else {
      transformOutputGradient2x2(pixels, filter: k, target, step: step)
    }
  }

  /// target[t tapStep] = (G^T m G)[t] for each tap t of one vector of filters, of which `valid` exist; with
  /// `accumulates` it is added.
  @inline(__always)
  static func transformWeightGradient(
    window: Int, _ m: UnsafePointer<Float>, step: Int, _ target: Target, tapStep: Int, valid: Int, accumulates: Bool
  ) {
    if window == 3 {
      transformWeightGradient3x3(m, step: step, target, tapStep: tapStep, valid: valid, accumulates: accumulates)
    } else {
      transformWeightGradient5x5(m, step: step, target, tapStep: tapStep, valid: valid, accumulates: accumulates)
    }
  }
}
