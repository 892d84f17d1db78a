// Functions that need care near 0, made of those beside them.

/// |x|
@inline(__always)
func magnitude(_ x: Vector) -> Vector { x.replacing(with: -x, where: x .< 0) }

/// log x for any x: -infinity at 0, NaN below, denormal numbers too.
@inline(__always)
func anyLogarithm(_ x: Vector) -> Vector {
  let isTiny = x .< Vector(repeating: .leastNormalMagnitude)
  let log = logarithm(x.replacing(with: x * 0x1p24, where: isTiny))
  return log.replacing(with: log - 16.635532, where: isTiny)
    .replacing(with: -.infinity, where: x .== 0).replacing(with: .nan, where: x .< 0)
}

/// exp x - 1; below 0.35 the series of Taylor, the rest of which is below 2^-25 of it.
@inline(__always)
func exponentialMinusOne(_ x: Vector) -> Vector {
  var p = Vector(repeating: 1.0 / 5040)
  p = multiplyAdd(Vector(repeating: 1.0 / 720), p, x)
  p = multiplyAdd(Vector(repeating: 1.0 / 120), p, x)
  p = multiplyAdd(Vector(repeating: 1.0 / 24), p, x)
  p = multiplyAdd(Vector(repeating: 1.0 / 6), p, x)
  p = multiplyAdd(Vector(repeating: 0.5), p, x)
  p = multiplyAdd(Vector(repeating: 1), p, x)
  return (exponential(x) - 1).replacing(with: x * p, where: magnitude(x) .< 0.35)
}

/// log(1 + x) for 0 <= x <= 1: log u x / (u - 1) with u = 1 + x rounded, which takes the rounding back (Kahan).
@inline(__always)
func logarithmOfOnePlus(_ x: Vector) -> Vector {
  let u = 1 + x
  return (logarithm(u) * (x / (u - 1))).replacing(with: x, where: u .== 1)
}

/// log(1 + exp x)
@inline(__always)
func softplus(_ x: Vector) -> Vector {
  atLeast(.zero, x) + logarithmOfOnePlus(exponential(-magnitude(x)))
}
