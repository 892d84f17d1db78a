import TesseraKernels
import TesseraVerification
import Testing

@Suite struct PhiloxTests {
  /// The known answers of Random123 for philox4x32 with 10 rounds.
  @Test func knownAnswers() {
    #expect(
      Philox4x32.block(counter: .zero, key: .zero)
        == SIMD4(0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8))
    #expect(
      Philox4x32.block(counter: SIMD4(repeating: .max), key: SIMD2(repeating: .max))
        == SIMD4(0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD))
    #expect(
      Philox4x32.block(
        counter: SIMD4(0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344),
        key: SIMD2(0xA409_3822, 0x299F_31D0))
        == SIMD4(0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1))
  }

  @Test func generatorIsReproducibleAndItsStreamsDiffer() {
    var (a, b, c) = (
      PhiloxGenerator(seed: 7), PhiloxGenerator(seed: 7), PhiloxGenerator(seed: 7, stream: 1)
    )
    let words = (0..<9).map { _ in a.nextWord() }
    #expect(words == (0..<9).map { _ in b.nextWord() })
    #expect(words != (0..<9).map { _ in c.nextWord() })
  }

  /// Five deviations of each estimate around its expectation.
  @Test func normalNumbersHaveMeanZeroAndVarianceOne() {
    var generator = PhiloxGenerator(seed: 1)
    let count = 20_000.0
    var (sum, squares) = (0.0, 0.0)
    for _ in 0..<Int(count) {
      let value = generator.normal()
      sum += value
      squares += value * value
    }
    #expect(abs(sum / count) < 5 / count.squareRoot())
    #expect(abs(squares / count - 1) < 5 * (2 / count).squareRoot())
  }

  /// The vectorised words are those of the plain loop, also where the tensor's share begins within a block, beyond 2^32
  /// blocks, for all remainders, and for probabilities that as a Float would be 1.
  @Test(arguments: KernelCatalogue.supported)
  func dropoutMatchesReference(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let key = DropoutKey(seed: 42, stream: 3)
    for count in counts(set) {
      for first in [0, 1, 3, 4, 33, 1 << 34 - 5] {
        for probability in [0, 0.25, 0.3, 0.999, 1 - 0x1p-30, 1 - 0x1p-40] {
          let x = GuardedBuffer(random(count, seed: 5))
          let y = GuardedBuffer<Float>.poisoned(count)
          var expected = [Double](repeating: .nan, count: count)
          let step: UInt64 = 0x1_0000_0007
          kernels.dropout(
            first: first, count: count, probability: probability, key: key, step: step,
            x: x.pointer, y: y.pointer, streams: false)
          Reference.dropout(
            first: first, count: count, probability: probability, key: key, step: step,
            x: x.doubles, y: &expected)
          // Two roundings: of the divisor and of the quotient.
          expectClose(y.values, expected, "dropout \(set) \(count) from \(first)") { gamma(2) * abs(expected[$0]) }
        }
      }
    }
  }

  @Test func dropoutKeepsTheExpectedShare() {
    let count = 100_000
    let ones = [Float](repeating: 1, count: count)
    var y = ones
    Reference.dropout(
      first: 0, count: count, probability: 0.3, key: DropoutKey(seed: 1, stream: 2), step: 0, x: ones,
      y: &y)
    let dropped = Double(y.count { $0 == 0 })
    #expect(abs(dropped / Double(count) - 0.3) < 5 * (0.3 * 0.7 / Double(count)).squareRoot())
  }
}
