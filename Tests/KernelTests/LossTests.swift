import TesseraKernels
import TesseraVerification
import Testing

@Suite struct LossTests {
  /// More than one square of the widest vectors, and a rest.
  static let rows = 19

  /// What exp(x - max) / sum may be wrong by: the argument's rounding, two units of exp, the sum's additions, the
  /// division. Below the normal numbers the result may be 0.
  static func tolerance(_ probability: Double, distance: Double, classes: Int) -> Double {
    probability * (unitRoundoff * distance + gamma(classes + 12)) + Double(Float.leastNormalMagnitude)
  }

  static func labels(_ classes: Int) -> [Int32] { (0..<rows).map { Int32(($0 * 7 + 1) % classes) } }

  @Test(arguments: KernelCatalogue.supported, [1.0, 30, 1e4])
  func softmaxAndCrossEntropy(_ set: InstructionSet, range: Double) throws {
    let kernels = try kernels(of: set)
    for classes in counts(set) + [10] {
      let x = GuardedBuffer(random(Self.rows * classes, seed: 1, -range, range))
      let labels = GuardedBuffer(Self.labels(classes))
      let y = GuardedBuffer<Float>.poisoned(x.count)
      let probabilities = GuardedBuffer<Float>.poisoned(x.count)
      let losses = GuardedBuffer<Float>.poisoned(Self.rows)
      var expected = [Double](repeating: 0, count: x.count)
      var expectedLosses = [Double](repeating: 0, count: Self.rows)
      Reference.softmaxCrossEntropy(
        rows: Self.rows, classes: classes, x: x.doubles, labels: labels.pointer,
        losses: &expectedLosses, probabilities: &expected)
      kernels.softmax(rows: Self.rows, classes: classes, x: x.pointer, y: y.pointer)
      kernels.softmaxCrossEntropy(
        rows: Self.rows, classes: classes, x: x.pointer, labels: labels.pointer,
        losses: losses.pointer, probabilities: probabilities.pointer)
      let what = "softmax \(set) \(classes) classes, logits to \(range)"
      // Distances beyond 104 leave nothing at all.
      expectClose(y.values, expected, what) {
        Self.tolerance(expected[$0], distance: min(2 * range, 104), classes: classes)
      }
      expectSame(probabilities.values, y.values, what)
      expectClose(losses.values, expectedLosses, what) {
        gamma(classes + 12) + 4 * unitRoundoff * expectedLosses[$0]
      }
    }
  }

  /// Loss of a certain right answer, of a certain wrong one, and of equal logits: log(classes), which tests log over
  /// its range.
  @Test(arguments: KernelCatalogue.supported)
  func knownLosses(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    func loss(_ x: [Float], label: Int32) -> Float {
      let logits = GuardedBuffer(x)
      let losses = GuardedBuffer<Float>.poisoned(1)
      let probabilities = GuardedBuffer<Float>.poisoned(x.count)
      kernels.softmaxCrossEntropy(
        rows: 1, classes: x.count, x: logits.pointer, labels: [label],
        losses: losses.pointer, probabilities: probabilities.pointer)
      return losses.values[0]
    }
    #expect(loss([1e4, -1e4], label: 0) == 0)
    #expect(loss([1e4, -1e4], label: 1) == 2e4)
    #expect(loss([1e4, .nan], label: 0).isNaN)
    for classes in [1, 2, 3, 10, 100, 1000, 1009, 4096] {
      let equal = loss([Float](repeating: -1e4, count: classes), label: 0)
      var expected = [0.0]
      var probabilities = [Double](repeating: 0, count: classes)
      Reference.softmaxCrossEntropy(
        rows: 1, classes: classes, x: [Double](repeating: 0, count: classes), labels: [0],
        losses: &expected, probabilities: &probabilities)
      expectClose([equal], expected, "log \(classes) \(set)") { _ in Double(Float(expected[0]).ulp) }
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func gradients(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for classes in counts(set) + [10] {
      let count = Self.rows * classes
      let y = GuardedBuffer(random(count, seed: 2, 0, 1))
      let dy = GuardedBuffer(random(count, seed: 3))
      let dx = GuardedBuffer<Float>.poisoned(count)
      var expected = [Double](repeating: 0, count: count)
      Reference.softmaxBackward(
        rows: Self.rows, classes: classes, dy: dy.doubles, y: y.doubles, dx: &expected)
      kernels.softmaxBackward(
        rows: Self.rows, classes: classes, dy: dy.pointer, y: y.pointer, dx: dx.pointer, streams: false)
      expectClose(dx.values, expected, "softmaxBackward \(set) \(classes)") { _ in
        gamma(classes + 4) * Double(classes + 1)
      }

      let labels = GuardedBuffer(Self.labels(classes))
      Reference.softmaxCrossEntropyBackward(
        rows: Self.rows, classes: classes, probabilities: y.doubles, labels: labels.pointer,
        factor: 0.3, dx: &expected)
      // In place, too. Three roundings: of the factor, the difference and the product.
      for result in [dx, y] {
        kernels.softmaxCrossEntropyBackward(
          rows: Self.rows, classes: classes, probabilities: y.pointer, labels: labels.pointer,
          factor: 0.3, dx: result.pointer, streams: false)
        expectClose(result.values, expected, "softmaxCrossEntropyBackward \(set) \(classes)") {
          gamma(3) * abs(expected[$0])
        }
      }
    }
  }
}
