/// 2 / sqrt(pi) times the integral of exp(-t^2) from x to infinity, within 4e-7 of its value where that is normal.
///
/// |x| = z; erfc z = t exp(-z^2 + P(t)) with t = 1 / (1 + z / 2), P the Chebyshev approximation of Press et al.,
/// "Numerical Recipes" (1992), section 6.2; erfc(-z) = 2 - erfc z.
@inline(__always)
func complementaryErrorFunction(_ x: Vector) -> Vector {
  let z = magnitude(x)
  let t = 1 / multiplyAdd(Vector(repeating: 1), z, Vector(repeating: 0.5))
  var p = Vector(repeating: 0.17087277)
  p = multiplyAdd(Vector(repeating: -0.82215223), p, t)
  p = multiplyAdd(Vector(repeating: 1.48851587), p, t)
  p = multiplyAdd(Vector(repeating: -1.13520398), p, t)
  p = multiplyAdd(Vector(repeating: 0.27886807), p, t)
  p = multiplyAdd(Vector(repeating: -0.18628806), p, t)
  p = multiplyAdd(Vector(repeating: 0.09678418), p, t)
  p = multiplyAdd(Vector(repeating: 0.37409196), p, t)
  p = multiplyAdd(Vector(repeating: 1.00002368), p, t)
  p = multiplyAdd(Vector(repeating: -1.26551223), p, t)
  let value = t * exponential(p - z * z)
  return value.replacing(with: 2 - value, where: x .< 0)
}

/// 1 - ``complementaryErrorFunction(_:)``; below 1/2, where that would lose digits, the series of Taylor.
@inline(__always)
func errorFunction(_ x: Vector) -> Vector {
  let square = x * x
  var p = Vector(repeating: -1.0 / 1320)
  p = multiplyAdd(Vector(repeating: 1.0 / 216), p, square)
  p = multiplyAdd(Vector(repeating: -1.0 / 42), p, square)
  p = multiplyAdd(Vector(repeating: 1.0 / 10), p, square)
  p = multiplyAdd(Vector(repeating: -1.0 / 3), p, square)
  p = multiplyAdd(Vector(repeating: 1), p, square)
  let near = 1.1283791671 * x * p
  return (1 - complementaryErrorFunction(x)).replacing(with: near, where: magnitude(x) .< 0.5)
}
