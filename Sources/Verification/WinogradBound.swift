package import TesseraKernels

/// What bounds the error of F(4x4, 3x3) and of its transpose F(3x3, 4x4), in place of the bound of direct sums: these
/// mix the terms of neighbouring sums, so that magnitudes of a whole tile count, not those of one sum.
///
/// A result is A^T [sum of (G w G^T) . (B^T x B)] A, over the channels or, transposed, G^T [sum of (B^T x B) . (A dy
/// A^T)] G, over the tiles. Elements reach it by one path for each point and term, with at most 8 roundings in each
/// transform (4 a direction, products and sums rounded one by one; 10 for G^T) and as many as there are terms for the
/// products and their sum. So, by Higham's lemma 3.1 and with magnitudes taken element by element,
///
/// |y' - y| <= gamma(terms + 26) |A^T| [sum of (|G| |w| |G^T|) . (|B^T| |x| |B|)] |A|
///          <= gamma(terms + 26) terms max|x| max|w| amplification
///
/// where the amplification is the square of the largest element of |A^T| (|G| 1 . |B^T| 1), or of |G^T| (|B^T| 1 . |A|
/// 1): 752 and 1096 at the points 0, +-3/4, +-3/2 and infinity.
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
      case .backwardWeights: g.n * tiles(g.p, dilation: g.dilationY) * tiles(g.q, dilation: g.dilationX)
      }
    return gamma(terms + 26) * Double(terms) * largest
      * (pass == .backwardWeights ? gradientAmplification : amplification)
  }

  /// Tiles of 4 outputs in one direction; a dilation parts them into images of their own.
  private static func tiles(_ outputs: Int, dilation: Int) -> Int {
    min(outputs, dilation) * (((outputs + dilation - 1) / dilation + 3) / 4)
  }

  // MARK: Amplification

  /// |A^T|, |B^T| and |G|, each row by row; those of G and B^T, and the columns of A^T, belong to the six points.
  private static let (outputs, inputs, weights) = {
    let (a, b) = (0.75, 1.5)
    let (aa, bb) = (a * a, b * b)
    let (na, nb) = (2 * aa * (bb - aa), 2 * bb * (bb - aa))
    return (
      [[1, 1, 1, 1, 1, 0], [0, a, a, b, b, 0], [0, aa, aa, bb, bb, 0], [0, a * aa, a * aa, b * bb, b * bb, 1]],
      [
        [aa * bb, 0, aa + bb, 0, 1, 0], [0, a * bb, bb, a, 1, 0], [0, a * bb, bb, a, 1, 0], [0, b * aa, aa, b, 1, 0],
        [0, b * aa, aa, b, 1, 0], [0, aa * bb, 0, aa + bb, 0, 1],
      ],
      [
        [1 / (aa * bb), 0, 0], [1 / na, a / na, aa / na], [1 / na, a / na, aa / na], [1 / nb, b / nb, bb / nb],
        [1 / nb, b / nb, bb / nb], [0, 0, 1],
      ]
    )
  }()

  package static let amplification = square(of: outputs, points: inputs, weights)
  package static let gradientAmplification = square(of: transposed(weights), points: inputs, transposed(outputs))

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
