import CTesseraShims
public import TesseraKernelContract

/// All kernels, compiled for `avx2`.
public enum AVX2Kernels: KernelSet {
  public static let instructionSet = InstructionSet.avx2
}

/// The name by which the shared source extends this module's type.
typealias Kernels = AVX2Kernels

/// One vector register of Floats.
typealias Vector = SIMD8<Float>
/// As many integers as ``Vector`` has lanes.
typealias IntVector = SIMD8<Int32>

/// Two vectors, one behind the other.
typealias VectorPair = SIMD16<Float>
/// As many vectors as each has lanes.
typealias VectorSquare = InlineArray<8, Vector>

/// accumulator + a * b, fused.
@inline(__always)
func multiplyAdd(_ accumulator: Vector, _ a: Vector, _ b: Vector) -> Vector {
  accumulator.addingProduct(a, b)
}

/// The same, said of the whole vector: `addingProduct` is said lane by lane, and in straight code of a hundred of them the
/// optimizer puts some together to quarters of a vector only. In the loops of register tiles it is the better one: with
/// this, three tiles of AVX2 spill.
@inline(__always)
func multiplyAddWhole(_ accumulator: Vector, _ a: Vector, _ b: Vector) -> Vector {
  tessera_multiply_add_8(accumulator, a, b)
}

/// The larger of each lane of `value` and `least`; a NaN in `value` stays.
@inline(__always)
func atLeast(_ least: Vector, _ value: Vector) -> Vector {
  tessera_at_least_8(least, value)
}

/// The smaller of each lane of `value` and `most`; a NaN in `value` stays.
@inline(__always)
func atMost(_ most: Vector, _ value: Vector) -> Vector {
  tessera_at_most_8(most, value)
}

/// value * 2^n for whole n, which `integer` holds too.
@inline(__always)
func scale(_ value: Vector, n: Vector, integer: IntVector) -> Vector {
  scaleByHalves(value, integer)
}

/// a where `value` is greater than `best`, or the first NaN; else b.
@inline(__always)
func chooseLarger(_ value: Vector, _ best: Vector, _ a: Vector, else b: Vector) -> Vector {
  tessera_choose_larger_8(value, best, a, b)
}

/// `value` where the bits of a and b are the same integers, else 0.
@inline(__always)
func whereEqual(_ a: Vector, _ b: Vector, _ value: Vector) -> Vector {
  tessera_where_equal_8(a, b, value)
}

/// The first `count` floats from `source`, 0...8; the other lanes are 0 and their memory is not read.
@inline(__always)
func loadFirst(_ count: Int, _ source: UnsafePointer<Float>) -> Vector {
  tessera_load_first_8(source, count)
}

/// Writes the first `count` lanes, 0...8, and nothing behind them.
@inline(__always)
func storeFirst(_ count: Int, _ value: Vector, _ target: UnsafeMutablePointer<Float>) {
  tessera_store_first_8(target, value, count)
}

/// Writes a vector past the caches to an address aligned to its size; `tessera_stream_fence` before others may see it.
@inline(__always)
func stream(_ value: Vector, _ target: UnsafeMutablePointer<Float>) {
  tessera_stream_8(target, value)
}

/// Lane i of the result is lane index[i] of both vectors, one behind the other.
@inline(__always)
func picked(_ first: Vector, _ second: Vector, _ index: IntVector) -> Vector {
  tessera_picked_8(first, second, unsafeBitCast(index, to: SIMD4<Int64>.self))
}

/// Lane i of the result is lane index[i] of `value`.
@inline(__always)
func permuted(_ value: Vector, _ index: IntVector) -> Vector {
  tessera_permuted_8(value, unsafeBitCast(index, to: SIMD4<Int64>.self))
}
