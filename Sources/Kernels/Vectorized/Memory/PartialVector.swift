/// Floats at `source`: a whole vector, or its first `valid` lanes and 0 behind them. Where `valid` is the constant
/// `lanes`, as in the main loops of ``forEachVector(_:_:)``, only the whole load remains.
@inline(__always)
func load(_ source: UnsafePointer<Float>, valid: Int) -> Vector {
  valid == lanes ? load(source) : loadFirst(valid, source)
}

/// Writes the first `valid` lanes and nothing behind them.
@inline(__always)
func store(_ value: Vector, _ target: UnsafeMutablePointer<Float>, valid: Int) {
  if valid == lanes { store(value, target) } else { storeFirst(valid, value, target) }
}

/// Integers take the same way as floats of the same bits.
@inline(__always)
func load(_ source: UnsafePointer<Int32>, valid: Int) -> IntVector {
  let floats = UnsafeRawPointer(source).assumingMemoryBound(to: Float.self)
  return unsafeBitCast(load(floats, valid: valid), to: IntVector.self)
}

@inline(__always)
func store(_ value: IntVector, _ target: UnsafeMutablePointer<Int32>, valid: Int) {
  let floats = UnsafeMutableRawPointer(target).assumingMemoryBound(to: Float.self)
  store(unsafeBitCast(value, to: Vector.self), floats, valid: valid)
}

/// `value` with `filler` in all lanes from `valid` on.
@inline(__always)
func fill(_ value: Vector, from valid: Int, with filler: Float) -> Vector {
  value.replacing(
    with: Vector(repeating: filler), where: laneNumbers .>= IntVector(repeating: Int32(valid)))
}

/// 0, 1, 2, ...
var laneNumbers: IntVector {
  @inline(__always) get {
    var numbers = IntVector.zero
    for lane in 0..<lanes { numbers[lane] = Int32(lane) }
    return numbers
  }
}
