/// tanh x, within 2 ulp; tanh(+-inf) = +-1, tanh(NaN) = NaN, the sign of 0 is kept.
///
/// |x| < 0.625: x + x^3 P(x^2), P the minimax polynomial of Cephes' `tanhf` (S. Moshier, 1989), where the other form
/// would lose digits. Else 1 - 2 / (exp(2|x|) + 1). Both are computed of |x| and take the sign of x.
@inline(__always)
func hyperbolicTangent(_ x: Vector) -> Vector {
  let signBit = unsafeBitCast(x, to: IntVector.self) & IntVector(repeating: .min)
  let magnitude = unsafeBitCast(unsafeBitCast(x, to: IntVector.self) ^ signBit, to: Vector.self)

  let x2 = x * x
  var p = Vector(repeating: -5.704_988_727_45e-3)
  p = multiplyAdd(Vector(repeating: 2.063_908_885_53e-2), p, x2)
  p = multiplyAdd(Vector(repeating: -5.373_971_417_37e-2), p, x2)
  p = multiplyAdd(Vector(repeating: 1.333_144_189_90e-1), p, x2)
  p = multiplyAdd(Vector(repeating: -3.333_328_225_80e-1), p, x2)
  let small = multiplyAdd(magnitude, p * x2, magnitude)

  let large = 1 - 2 / (exponential(magnitude + magnitude) + 1)
  let result = large.replacing(with: small, where: magnitude .< 0.625)
  return unsafeBitCast(unsafeBitCast(result, to: IntVector.self) | signBit, to: Vector.self)
}
