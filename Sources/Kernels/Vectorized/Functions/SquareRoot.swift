/// The square root of each lane, correctly rounded. With `-fno-math-errno` the compiler makes one
/// instruction of the lanes' loop.
@inline(__always)
func squareRoot(_ v: Vector) -> Vector {
  var root = v
  for lane in 0..<lanes { root[lane] = v[lane].squareRoot() }
  return root
}
