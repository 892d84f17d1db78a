// Sums and maxima across the lanes of one vector, by halves: a fixed order, and no generic method of the standard
// library, whose weak symbols the instruction sets would share.

/// The sum of all lanes.
@inline(__always)
func total(_ v: Vector) -> Float {
  var (sum, distance) = (v, lanes / 2)
  while distance > 0 {
    sum += upper(sum, distance)
    distance /= 2
  }
  return sum[0]
}

/// The largest lane. Lanes that are NaN may be passed over.
@inline(__always)
func maximum(_ v: Vector) -> Float {
  var (largest, distance) = (v, lanes / 2)
  while distance > 0 {
    largest = larger(upper(largest, distance), largest)
    distance /= 2
  }
  return largest[0]
}

/// a where it is greater than b, else b.
@inline(__always)
func larger(_ a: Vector, _ b: Vector) -> Vector { b.replacing(with: a, where: a .> b) }

/// Lane i + distance in lane i, for i < distance.
@inline(__always)
private func upper(_ v: Vector, _ distance: Int) -> Vector {
  var shifted = v
  for lane in 0..<distance { shifted[lane] = v[lane &+ distance] }
  return shifted
}
