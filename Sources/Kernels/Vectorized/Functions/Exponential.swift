/// exp x, within 2 ulp where the result is normal.
///
/// x = n log 2 + r with n the nearest integer to x / log 2, so |r| <= log(2) / 2; exp x = 2^n exp r.
/// exp r = 1 + r + r^2 P(r), P the minimax polynomial of Cephes' `expf` (S. Moshier, 1989). log 2 is taken away in two
/// parts, of which the first has 9 bits, so that n times it is exact without a fused multiply-add too.
///
/// exp(-inf) = 0, exp(inf) = inf, exp(NaN) = NaN; overflow gives inf, underflow may pass the denormal numbers to
/// 0: x is brought into -104...89, for which n is in the range of ``scale(_:n:integer:)``.
@inline(__always)
func exponential(_ x: Vector) -> Vector {
  let x = atLeast(Vector(repeating: -104), atMost(Vector(repeating: 89), x))

  // Adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the low bits.
  let rounder = Vector(repeating: 0x1.8p23)
  let shifted = multiplyAdd(rounder, x, Vector(repeating: 1.442_695_04))
  let n = shifted - rounder
  let integer =
    unsafeBitCast(shifted, to: IntVector.self) &- unsafeBitCast(rounder, to: IntVector.self)

  var r = multiplyAdd(x, n, Vector(repeating: -0.693_359_375))
  r = multiplyAdd(r, n, Vector(repeating: 2.121_944_40e-4))

  var p = Vector(repeating: 1.987_569_150_0e-4)
  p = multiplyAdd(Vector(repeating: 1.398_199_950_7e-3), p, r)
  p = multiplyAdd(Vector(repeating: 8.333_451_907_3e-3), p, r)
  p = multiplyAdd(Vector(repeating: 4.166_579_589_4e-2), p, r)
  p = multiplyAdd(Vector(repeating: 1.666_666_545_9e-1), p, r)
  p = multiplyAdd(Vector(repeating: 5.000_000_120_1e-1), p, r)
  let value = multiplyAdd(r, p, r * r) + 1

  return scale(value, n: n, integer: integer)
}

/// value * 2^n in two factors, whose exponents both stay in range for -252 <= n <= 254.
@inline(__always)
func scaleByHalves(_ value: Vector, _ n: IntVector) -> Vector {
  let half = n &>> 1
  return value * powerOfTwo(half) * powerOfTwo(n &- half)
}

/// 2^n for -126 <= n <= 127.
@inline(__always)
private func powerOfTwo(_ n: IntVector) -> Vector {
  unsafeBitCast((n &+ 127) &<< 23, to: Vector.self)
}
