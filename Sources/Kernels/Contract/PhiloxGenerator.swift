/// A stream of random numbers that seed and stream number determine, on every machine. For initializers and shuffles.
public struct PhiloxGenerator: RandomNumberGenerator, Sendable {
  private let key: SIMD2<UInt32>
  private var blockNumber: UInt64 = 0
  private var words = SIMD4<UInt32>.zero
  private var used = 4
  private let stream: UInt64

  /// Streams of one seed are independent: the stream is the upper half of the counter.
  public init(seed: UInt64, stream: UInt64 = 0) {
    key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    self.stream = stream
  }

  /// The next 32 random bits.
  public mutating func nextWord() -> UInt32 {
    if used == 4 {
      words = Philox4x32.block(
        counter: SIMD4(
          UInt32(truncatingIfNeeded: blockNumber), UInt32(truncatingIfNeeded: blockNumber >> 32),
          UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: stream >> 32)),
        key: key)
      blockNumber &+= 1
      used = 0
    }
    defer { used += 1 }
    return words[used]
  }

  public mutating func next() -> UInt64 {
    let low = UInt64(nextWord())
    return UInt64(nextWord()) << 32 | low
  }

  /// Uniform in [0, 1), a multiple of 2^-53.
  public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Uniform in [low, high).
  public mutating func uniform(_ low: Double, _ high: Double) -> Double {
    low + (high - low) * uniform()
  }

  /// Normal with mean 0 and deviation 1, by the polar method (Marsaglia and Bray 1964): of a point (u, v) uniform in
  /// the unit disc, u sqrt(-2 log(s) / s) with s = u^2 + v^2. The logarithm is ours, so that the numbers are the same
  /// everywhere.
  public mutating func normal() -> Double {
    while true {
      let u = uniform(-1, 1)
      let v = uniform(-1, 1)
      let s = u * u + v * v
      if s > 0 && s < 1 { return u * (-2 * Self.logarithm(s) / s).squareRoot() }
    }
  }

  /// log x for normal x > 0. With x = m 2^e, sqrt(1/2) <= m < sqrt 2 and t = (m - 1) / (m + 1):
  /// log x = e log 2 + 2 (t + t^3 / 3 + t^5 / 5 + ...). |t| < 0.172, so 11 terms leave less than 1e-18.
  static func logarithm(_ x: Double) -> Double {
    var mantissa = x.significand
    var exponent = Double(x.exponent)
    if mantissa > 1.414_213_562_373_095_1 {
      mantissa /= 2
      exponent += 1
    }
    let t = (mantissa - 1) / (mantissa + 1)
    let t2 = t * t
    var series = 0.0
    for power in stride(from: 21.0, through: 1, by: -2) { series = series * t2 + 1 / power }
    return exponent * 0.693_147_180_559_945_3 + 2 * t * series
  }
}
