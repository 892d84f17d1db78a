import Tessera
import TesseraKernels
import Testing

/// One way to compute: an element type and the kernels for it.
struct Arithmetic: Sendable, CustomStringConvertible {
  let description: String
  let element: ElementType
  let options: Program.Options
  /// How far a result may be from PyTorch's, as a part of the largest expected element of its array.
  ///
  /// float32: any order of a sum of n products is wrong by at most n u, u = 2^-24, of the sum of their absolute values.
  /// The longest sums here have 240 terms (the gradient of x of the 5x3 kernel), a bound of 1.4e-5; functions and what
  /// follows them add some u. float64: 240 * 2^-53 = 3e-14 likewise, and room for PyTorch's own rounding.
  /// A sum that cancels to much less than its terms would need more; those of the fixtures don't.
  let tolerance: Double
  /// Half the distance from 1 to the next number.
  let roundoff: Double

  static let all: [Arithmetic] =
    KernelCatalogue.supported.map {
      Arithmetic(
        description: "float32 \($0)", element: .float32, options: .init(instructionSet: $0),
        tolerance: 2e-5, roundoff: 0x1p-24)
    } + [
      Arithmetic(
        description: "float64 reference", element: .float64,
        options: .init(usesReferenceKernels: true), tolerance: 1e-12, roundoff: 0x1p-53)
    ]

  /// Expects a tensor of the fixture's shape and, within the tolerance, of its elements; NaN where it has NaN.
  /// - Parameter conditioning: the mean of what is normalized, in its deviations. A rounded mean is wrong by u of
  ///   itself, so normalized elements are wrong by u times `conditioning`. Gradients sum that over the rows, with
  ///   signs: 2 is room.
  func expect(
    _ tensor: Tensor?, _ expected: FixtureArray, _ what: String, conditioning: Double = 0,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let tensor = try #require(tensor, "\(what) is missing", sourceLocation: sourceLocation)
    #expect(tensor.shape.dimensions == expected.shape, "\(what)", sourceLocation: sourceLocation)
    let values =
      element == .float64
      ? try tensor.elements(as: Double.self) : try tensor.elements(as: Float.self).map(Double.init)
    try #require(values.count == expected.values.count, "\(what)", sourceLocation: sourceLocation)
    let largest = expected.values.reduce(0) { $1.isNaN ? $0 : max($0, abs($1)) }
    let bound = (tolerance + 2 * roundoff * conditioning) * largest
    // Written so that a NaN on one side only is wrong.
    let wrong = values.indices.filter {
      !(abs(values[$0] - expected.values[$0]) <= bound)
        && !(values[$0].isNaN && expected.values[$0].isNaN)
    }
    guard let first = wrong.first else { return }
    let worst = wrong.map { abs(values[$0] - expected.values[$0]) }.max() ?? .nan
    Issue.record(
      """
      \(self): \(what) differs in \(wrong.count) of \(values.count) elements by up to \(worst), allowed \(bound); \
      element \(first) is \(values[first]), not \(expected.values[first])
      """, sourceLocation: sourceLocation)
  }
}
