import CTesseraShims

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

/// The same over vectors that are written to y. With `streams` the whole ones are aligned and go past the caches, behind a
/// first part that leads to the next aligned address; `body` hands all three on to ``write(_:_:valid:streams:)``.
@inline(__always)
func forEachVector(
  _ count: Int, writing y: UnsafeMutablePointer<Float>, streams: Bool,
  _ body: (_ i: Int, _ valid: Int, _ streams: Bool) -> Void
) {
  guard streams else { return forEachVector(count) { i, valid in body(i, valid, false) } }
  var i = min(count, floatsBeforeAlignment(y))
  if i > 0 { body(0, i, false) }
  while i &+ lanes <= count {
    body(i, lanes, true)
    i &+= lanes
  }
  if i < count { body(i, count &- i, false) }
  tessera_stream_fence()
}

/// Floats from an address to the next that a vector may be streamed to, fewer than there are lanes.
@inline(__always)
func floatsBeforeAlignment(_ y: UnsafeMutablePointer<Float>) -> Int {
  (0 &- Int(bitPattern: y) / MemoryLayout<Float>.stride) & (lanes &- 1)
}

/// Writes the first `valid` lanes; past the caches if it `streams`, which takes all lanes and an aligned address.
@inline(__always)
func write(_ value: Vector, _ target: UnsafeMutablePointer<Float>, valid: Int, streams: Bool) {
  if streams { stream(value, target) } else { store(value, target, valid: valid) }
}

/// y[i] = function(x[i]). The function must be one that is always inlined. What is read from y itself is in a cache, and
/// isn't written past it.
@inline(__always)
func map(
  count: Int, _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, streams: Bool,
  _ function: (Vector) -> Vector
) {
  forEachVector(count, writing: y, streams: streams && x != UnsafePointer(y)) { i, valid, streams in
    write(function(load(x + i, valid: valid)), y + i, valid: valid, streams: streams)
  }
}

/// y[i] = function(a[i], b[i])
@inline(__always)
func map(
  count: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
  to y: UnsafeMutablePointer<Float>, streams: Bool, _ function: (Vector, Vector) -> Vector
) {
  let isInPlace = a == UnsafePointer(y) || b == UnsafePointer(y)
  forEachVector(count, writing: y, streams: streams && !isInPlace) { i, valid, streams in
    write(
      function(load(a + i, valid: valid), load(b + i, valid: valid)), y + i, valid: valid, streams: streams)
  }
}
