import Foundation

/// A generator whose sequence never changes: SplitMix64 (Steele, Lea and Flood 2014).
package struct TestRandom: RandomNumberGenerator {
  private var state: UInt64

  package init(_ seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  package mutating func int(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.count))
  }

  /// Unit normal, rounded to Float so that float32 and float64 programs see the same number.
  package mutating func normal() -> Double {
    let u = (Double(next() >> 11) + 1) / 9_007_199_254_740_994
    let v = Double(next() >> 11) / 9_007_199_254_740_992
    return Double(Float((-2 * log(u)).squareRoot() * cos(2 * .pi * v)))
  }

  package mutating func normals(_ count: Int) -> [Double] { (0..<count).map { _ in normal() } }
}
