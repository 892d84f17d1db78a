import TesseraKernels
import TesseraVerification
import Testing

/// Sums of products in double precision, and what bounds the error of any other order of summation in single
/// precision: |y' - y| <= gamma(n) sum |term| over n terms (Higham, "Accuracy and Stability of Numerical Algorithms",
/// 2002, section 3.1).
struct BoundedSums {
  let sums: [Double]
  /// The bound of each sum, with two roundings more than terms: of the product without fused instructions, and of the
  /// bias.
  let tolerances: [Double]

  /// - Parameter compute: the reference, given how to read its operands. It runs on the elements, on their magnitudes,
  ///   which gives the sum of the terms' magnitudes, and on ones, which gives the number of the terms.
  init(count: Int, _ compute: (_ operand: (GuardedBuffer<Float>) -> [Double], _ result: inout [Double]) -> Void) {
    func result(_ read: @escaping (Double) -> Double) -> [Double] {
      var result = [Double](repeating: 0, count: count)
      compute({ $0.doubles.map(read) }, &result)
      return result
    }
    sums = result { $0 }
    tolerances = zip(result(abs), result { _ in 1 }).map { magnitude, terms in gamma(Int(terms) + 2) * magnitude }
  }
}

/// Expects every element within the bound of its sum.
func expectClose(_ actual: GuardedBuffer<Float>, _ expected: BoundedSums, _ what: @autoclosure () -> String) {
  expectClose(actual.values, expected.sums, what()) { expected.tolerances[$0] }
}

/// Runs tasks from the last to the first one by one, then all at once: results must be the same bits.
func expectIndependentTasks(
  _ count: Int, result: GuardedBuffer<Float>, _ what: @autoclosure () -> String, run: (Range<Int>) -> Void
) {
  result.fill(.nan)
  for task in (0..<count).reversed() { run(task..<task + 1) }
  let first = result.values
  result.fill(.nan)
  run(0..<count)
  let isSame = zip(result.values, first).allSatisfy { $0.bitPattern == $1.bitPattern }
  #expect(isSame, "\(what()): results depend on how tasks are grouped")
}

extension PhiloxGenerator {
  /// Values from -1 to 1, at the start or the end of their page.
  mutating func buffer(_ count: Int) -> GuardedBuffer<Float> {
    let side: GuardedBuffer<Float>.Side = one(of: [.start, .end])
    return GuardedBuffer((0..<count).map { _ in Float(uniform(-1, 1)) }, guardedAt: side)
  }
}
