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

/// The sum of `value(i, valid)` over the vectors of `count` floats; lanes that aren't valid aren't counted. In four chains,
/// and in runs whose sums are added: the error grows with 64 and the number of runs.
@inline(__always)
func sumOfVectors(_ count: Int, _ value: (_ i: Int, _ valid: Int) -> Vector) -> Float {
  let whole = count &- count % (4 &* lanes)
  var sum = Vector.zero
  var i = 0
  while i < whole {
    let end = min(whole, i &+ 256 &* lanes)
    var (a, b, c, d) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
    while i < end {
      a += value(i, lanes)
      b += value(i &+ lanes, lanes)
      c += value(i &+ 2 &* lanes, lanes)
      d += value(i &+ 3 &* lanes, lanes)
      i &+= 4 &* lanes
    }
    sum += (a + b) + (c + d)
  }
  while i &+ lanes <= count {
    sum += value(i, lanes)
    i &+= lanes
  }
  if i < count { sum += fill(value(i, count &- i), from: count &- i, with: 0) }
  return total(sum)
}
