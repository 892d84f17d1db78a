import Foundation
import TesseraKernels
import Testing

/// Sweeps are cut short where the environment asks for it: under sanitizers everything takes ten times as long.
let isShort = ProcessInfo.processInfo.environment["TESSERA_TESTS"] == "short"

/// Whether tests print what the constants of their tolerances were read off from.
let isMeasuring = ProcessInfo.processInfo.environment["TESSERA_TESTS"] == "measure"

/// The kernels under test.
func kernels(of set: InstructionSet) throws -> any KernelSet.Type {
  try #require(KernelCatalogue.kernels(for: set))
}

/// Counts around one vector and around the blocks of four, and primes.
func counts(_ set: InstructionSet) -> [Int] {
  let lanes = set.floatLanes
  return [1, lanes - 1, lanes, lanes + 1, 4 * lanes - 1, 4 * lanes, 4 * lanes + 1, 61, 257]
}

/// Values from low to high that depend on the seed only.
func random(_ count: Int, seed: UInt64, _ low: Double = -1, _ high: Double = 1) -> [Float] {
  var generator = PhiloxGenerator(seed: seed)
  return (0..<count).map { _ in Float(generator.uniform(low, high)) }
}

/// Expects |actual - expected| <= tolerance element by element. NaN is expected where the expected value is NaN.
func expectClose(
  _ actual: [Float], _ expected: [Double], _ what: @autoclosure () -> String, tolerance: (Int) -> Double
) {
  #expect(actual.count == expected.count, "\(what())")
  for i in actual.indices {
    if expected[i].isNaN && actual[i].isNaN || Double(actual[i]) == expected[i] { continue }
    let error = abs(Double(actual[i]) - expected[i])
    if !(error <= tolerance(i)) {
      Issue.record(
        "\(what()): element \(i) is \(actual[i]), expected \(expected[i]), off by \(error) > \(tolerance(i))")
      return
    }
  }
}

/// Expects the same numbers; NaN equals NaN.
func expectSame(_ actual: [Float], _ expected: [Float], _ what: @autoclosure () -> String) {
  expectClose(actual, expected.map(Double.init), what()) { _ in 0 }
}
