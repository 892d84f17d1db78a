/// log x, within 2 ulp.
///
/// x = m 2^e with sqrt(1/2) <= m < sqrt 2; log x = e log 2 + log(1 + f), f = m - 1. log(1 + f) = f - f^2 / 2 + f^3 P(f), P the
/// minimax polynomial of Cephes' `logf` (S. Moshier, 1989); log 2 is added in two parts.
///
/// log 0 = -inf, log inf = inf, log of less than 0 or of NaN is NaN; denormal numbers are scaled by 2^25 first.
@inline(__always)
func logarithm(_ x: Vector) -> Vector {
  let tiny = x .< Vector(repeating: Float.leastNormalMagnitude)
  let scaled = x.replacing(with: x * 0x1p25, where: tiny)

  // The distance from sqrt(1/2) in bits: its exponent field is e, the rest goes back onto sqrt(1/2) as m.
  let base = IntVector(repeating: 0x3F35_04F3)
  let distance = unsafeBitCast(scaled, to: IntVector.self) &- base
  let exponent = distance &>> 23
  let m = unsafeBitCast((distance & 0x007F_FFFF) &+ base, to: Vector.self)
  var e = float(exponent)
  e.replace(with: e - 25, where: tiny)

  let f = m - 1
  let f2 = f * f
  var p = Vector(repeating: 7.037_683_629_2e-2)
  p = multiplyAdd(Vector(repeating: -1.151_461_031_0e-1), p, f)
  p = multiplyAdd(Vector(repeating: 1.167_699_874_0e-1), p, f)
  p = multiplyAdd(Vector(repeating: -1.242_014_084_6e-1), p, f)
  p = multiplyAdd(Vector(repeating: 1.424_932_278_7e-1), p, f)
  p = multiplyAdd(Vector(repeating: -1.666_805_766_5e-1), p, f)
  p = multiplyAdd(Vector(repeating: 2.000_071_476_5e-1), p, f)
  p = multiplyAdd(Vector(repeating: -2.499_999_399_3e-1), p, f)
  p = multiplyAdd(Vector(repeating: 3.333_333_117_4e-1), p, f)

  var tail = f * f2 * p
  tail = multiplyAdd(tail, e, Vector(repeating: -2.121_944_40e-4))
  tail = multiplyAdd(tail, f2, Vector(repeating: -0.5))
  var result = multiplyAdd(f + tail, e, Vector(repeating: 0.693_359_375))

  // Infinity and NaN return themselves; numbers below 0 have no logarithm.
  result.replace(with: x, where: .!(x .< .infinity))
  result.replace(with: Vector(repeating: .nan), where: x .< 0)
  result.replace(with: Vector(repeating: -.infinity), where: x .== 0)
  return result
}

/// The floats of small integers, |n| < 2^22: in the low bits of 1.5 * 2^23.
@inline(__always)
func float(_ n: IntVector) -> Vector {
  let rounder = Vector(repeating: 0x1.8p23)
  return unsafeBitCast(n &+ unsafeBitCast(rounder, to: IntVector.self), to: Vector.self) - rounder
}
