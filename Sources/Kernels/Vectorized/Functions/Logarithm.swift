/// log x for normal x > 0, within 1 ulp; log inf = inf, log NaN = NaN.
///
/// x = m 2^e with sqrt(1/2) <= m < sqrt 2; log x = e log 2 + log(1 + f), f = m - 1. log(1 + f) = f - f^2 / 2 + f^3
/// P(f), P the minimax polynomial of Cephes' `logf` (S. Moshier, 1989); log 2 is added in two parts.
@inline(__always)
func logarithm(_ x: Vector) -> Vector {
  // The distance from sqrt(1/2) in bits: its exponent field is e, the rest goes back onto sqrt(1/2) as m.
  let base = IntVector(repeating: 0x3F35_04F3)
  let distance = unsafeBitCast(x, to: IntVector.self) &- base
  let e = float(distance &>> 23)
  let m = unsafeBitCast((distance & 0x007F_FFFF) &+ base, to: Vector.self)

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
  let result = multiplyAdd(f + tail, e, Vector(repeating: 0.693_359_375))
  return result.replacing(with: x, where: .!(x .< .infinity))
}

/// The floats of small integers, |n| < 2^22: in the low bits of 1.5 * 2^23.
@inline(__always)
func float(_ n: IntVector) -> Vector {
  let rounder = Vector(repeating: 0x1.8p23)
  return unsafeBitCast(n &+ unsafeBitCast(rounder, to: IntVector.self), to: Vector.self) - rounder
}
