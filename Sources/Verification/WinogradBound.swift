package import TesseraKernels

/// What bounds the error of F(4x4, 3x3), F(2x2, 5x5) and their transposes F(3x3, 4x4) and F(5x5, 2x2), in place of the
/// bound of direct sums: these mix the terms of neighbouring sums, so that magnitudes of a whole tile count, not those of
/// one sum.
///
/// A result is A^T [sum of (G w G^T) . (B^T x B)] A, over the channels or, transposed, G^T [sum of (B^T x B) . (A dy
/// A^T)] G, over the tiles. Elements reach it by one path for each point and term, with at most 8 roundings in each
/// transform (4 a direction, products and sums rounded one by one; 10 for G^T, 12 for G with five taps) and as many as there
/// are terms for the products and their sum. So, by Higham's lemma 3.1 and with magnitudes taken element by element,
///
/// |y' - y| <= gamma(terms + 28) |A^T| [sum of (|G| |w| |G^T|) . (|B^T| |x| |B|)] |A|
///          <= gamma(terms + 28) terms max|x| max|w| amplification
///
/// where the amplification is the square of the largest element of |A^T| (|G| 1 . |B^T| 1), or of |G^T| (|B^T| 1 . |A|
/// 1): at the points 0, +-3/4, +-3/2 and infinity 752 and 1096 for 3 x 3 taps, 1532 and 459 for 5 x 5.
package enum WinogradBound {
  /// The part of the bound that errors may take. Rounding errors don't all point the same way: over the sweep of
  /// `WinogradTests` at most 1/260 of it was reached, with 512 channels 1/16000. `TESSERA_TESTS=measure swift test -c
  /// release --filter WinogradTests` prints it.
  package static let allowed = 1.0 / 100

  /// The bound for all results of a pass, given the largest magnitudes of its operands.
  package static func bound(_ pass: ConvolutionPass, _ g: ConvolutionGeometry, largest: Double) -> Double {
    let terms =
      switch pass {
      case .forward: g.c
      case .backwardData: g.k
      case .backwardWeights:
        g.n * tiles(g.p, dilation: g.dilationY, window: g.r) * tiles(g.q, dilation: g.dilationX, window: g.s)
      }
    return gamma(terms + 28) * Double(terms) * largest
      * (pass == .backwardWeights ? gradientAmplification(window: g.r) : amplification(window: g.r))
  }

  /// Tiles of 7 - window outputs in one direction; a dilation parts them into images of their own.
  private static func tiles(_ outputs: Int, dilation: Int, window: Int) -> Int {
    min(outputs, dilation) * (((outputs + dilation - 1) / dilation + 6 - window) / (7 - window))
  }

  // MARK: Amplification

  private static let (a, b) = (0.75, 1.5)

  /// |B^T|, row by row: those belong to the six points.
  private static let inputs = [
    [a * a * b * b, 0, a * a + b * b, 0, 1, 0], [0, a * b * b, b * b, a, 1, 0], [0, a * b * b, b * b, a, 1, 0],
    [0, b * a * a, a * a, b, 1, 0], [0, b * a * a, a * a, b, 1, 0], [0, a * a * b * b, 0, a * a + b * b, 0, 1],
  ]

  /// |A^T| for so many outputs, row by row: powers of the points, whose columns belong to them.
  private static func outputs(_ count: Int) -> [[Double]] {
    (0..<count).map { i in
      [i == 0 ? 1 : 0, pow(a, i), pow(a, i), pow(b, i), pow(b, i), i == count - 1 ? 1 : 0]
    }
  }

  /// |G| for so many taps, row by row: powers of the points over their Lagrange denominators.
  private static func weights(_ count: Int) -> [[Double]] {
    let (na, nb) = (2 * a * a * (b * b - a * a), 2 * b * b * (b * b - a * a))
    func row(_ point: Double, _ denominator: Double) -> [Double] { (0..<count).map { pow(point, $0) / denominator } }
    return [
      row(0, a * a * b * b), row(a, na), row(a, na), row(b, nb), row(b, nb),
      (0..<count).map { $0 == count - 1 ? 1 : 0 },
    ]
  }

  private static func pow(_ x: Double, _ exponent: Int) -> Double { (0..<exponent).reduce(1) { power, _ in power * x } }

  package static func amplification(window: Int) -> Double {
    square(of: outputs(7 - window), points: inputs, weights(window))
  }

  package static func gradientAmplification(window: Int) -> Double {
    square(of: transposed(weights(window)), points: inputs, transposed(outputs(7 - window)))
  }

  /// The square of the largest element of last (first 1 . second 1).
  private static func square(of last: [[Double]], points first: [[Double]], _ second: [[Double]]) -> Double {
    let products = zip(first, second).map { $0.reduce(0, +) * $1.reduce(0, +) }
    let largest = last.map { row in zip(row, products).reduce(0) { $0 + $1.0 * $1.1 } }.max() ?? 0
    return largest * largest
  }

  private static func transposed(_ rows: [[Double]]) -> [[Double]] {
    rows[0].indices.map { column in rows.map { $0[column] } }
  }
}
