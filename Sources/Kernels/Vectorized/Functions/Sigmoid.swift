/// 1 / (1 + exp(-x)), within 3 ulp for x > -87; below, where the result is denormal, it may be 0.
@inline(__always)
func sigmoid(_ x: Vector) -> Vector {
  1 / (1 + exponential(-x))
}
