/// Calls `body(i, valid)` for whole vectors at i = 0, lanes, ... and once for the rest, if there is one.
@inline(__always)
func forEachVector(_ count: Int, _ body: (_ i: Int, _ valid: Int) -> Void) {
  var i = 0
  while i &+ lanes <= count {
    body(i, lanes)
    i &+= lanes
  }
  if i < count { body(i, count &- i) }
}

/// y[i] = function(x[i]). The function must be one that is always inlined.
@inline(__always)
func map(
  count: Int, _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>,
  _ function: (Vector) -> Vector
) {
  forEachVector(count) { i, valid in store(function(load(x + i, valid: valid)), y + i, valid: valid) }
}

/// y[i] = function(a[i], b[i])
@inline(__always)
func map(
  count: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
  to y: UnsafeMutablePointer<Float>, _ function: (Vector, Vector) -> Vector
) {
  forEachVector(count) { i, valid in
    store(function(load(a + i, valid: valid), load(b + i, valid: valid)), y + i, valid: valid)
  }
}
