import CTesseraShims
public import TesseraKernelContract

/// All kernels, compiled for `baseline`.
public enum BaselineKernels: KernelSet {
  public static let instructionSet = InstructionSet.baseline
}

/// The name by which the shared source extends this module's type.
typealias Kernels = BaselineKernels

/// One vector register of Floats.
typealias Vector = SIMD4<Float>
/// As many integers as ``Vector`` has lanes.
typealias IntVector = SIMD4<Int32>

/// Two vectors, one behind the other.
typealias VectorPair = SIMD8<Float>
/// As many vectors as each has lanes.
typealias VectorSquare = InlineArray<4, Vector>

/// accumulator + a * b, rounded twice: without a hardware instruction a fused one would call `fmaf` for every lane.
@inline(__always)
func multiplyAdd(_ accumulator: Vector, _ a: Vector, _ b: Vector) -> Vector {
  accumulator + a * b
}

/// The same: here the product is that of whole vectors.
@inline(__always)
func multiplyAddWhole(_ accumulator: Vector, _ a: Vector, _ b: Vector) -> Vector {
  multiplyAdd(accumulator, a, b)
}

/// The larger of each lane of `value` and `least`; a NaN in `value` stays.
@inline(__always)
func atLeast(_ least: Vector, _ value: Vector) -> Vector {
  #if arch(x86_64)
    tessera_at_least_4(least, value)
  #else
    value.replacing(with: least, where: value .< least)
  #endif
}

/// The smaller of each lane of `value` and `most`; a NaN in `value` stays.
@inline(__always)
func atMost(_ most: Vector, _ value: Vector) -> Vector {
  #if arch(x86_64)
    tessera_at_most_4(most, value)
  #else
    value.replacing(with: most, where: value .> most)
  #endif
}

/// value * 2^n for whole n, which `integer` holds too.
@inline(__always)
func scale(_ value: Vector, n: Vector, integer: IntVector) -> Vector {
  scaleByHalves(value, integer)
}

/// a where `value` is greater than `best`, or the first NaN; else b.
@inline(__always)
func chooseLarger(_ value: Vector, _ best: Vector, _ a: Vector, else b: Vector) -> Vector {
  #if arch(x86_64)
    tessera_choose_larger_4(value, best, a, b)
  #else
    b.replacing(with: a, where: (value .> best) .| ((value .!= value) .& (best .== best)))
  #endif
}

/// `value` where the bits of a and b are the same integers, else 0.
@inline(__always)
func whereEqual(_ a: Vector, _ b: Vector, _ value: Vector) -> Vector {
  #if arch(x86_64)
    return tessera_where_equal_4(a, b, value)
  #else
    let same = unsafeBitCast(a, to: IntVector.self) .== unsafeBitCast(b, to: IntVector.self)
    return Vector.zero.replacing(with: value, where: same)
  #endif
}

/// The first `count` floats from `source`, 0...4; the other lanes are 0 and their memory is not read.
@inline(__always)
func loadFirst(_ count: Int, _ source: UnsafePointer<Float>) -> Vector {
  var value = Vector.zero
  if count > 0 { value[0] = source[0] }
  if count > 1 { value[1] = source[1] }
  if count > 2 { value[2] = source[2] }
  if count > 3 { value[3] = source[3] }
  return value
}

/// Writes the first `count` lanes, 0...4, and nothing behind them.
@inline(__always)
func storeFirst(_ count: Int, _ value: Vector, _ target: UnsafeMutablePointer<Float>) {
  if count > 0 { target[0] = value[0] }
  if count > 1 { target[1] = value[1] }
  if count > 2 { target[2] = value[2] }
  if count > 3 { target[3] = value[3] }
}

/// Writes a vector past the caches to an address aligned to its size; `tessera_stream_fence` before others may see it.
@inline(__always)
func stream(_ value: Vector, _ target: UnsafeMutablePointer<Float>) {
  #if arch(x86_64)
    tessera_stream_4(target, value)
  #else
    UnsafeMutableRawPointer(target).storeBytes(of: value, as: Vector.self)
  #endif
}

/// Lane i of the result is lane index[i] of both vectors, one behind the other.
@inline(__always)
func picked(_ first: Vector, _ second: Vector, _ index: IntVector) -> Vector {
  var result = Vector.zero
  for lane in 0..<lanes {
    let i = Int(index[lane])
    result[lane] = i < lanes ? first[i] : second[i &- lanes]
  }
  return result
}

/// Lane i of the result is lane index[i] of `value`.
@inline(__always)
func permuted(_ value: Vector, _ index: IntVector) -> Vector {
  var result = Vector.zero
  for lane in 0..<lanes { result[lane] = value[Int(index[lane])] }
  return result
}
