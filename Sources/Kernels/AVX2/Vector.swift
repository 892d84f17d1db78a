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

/// accumulator + a * b, fused.
@inline(__always)
func multiplyAdd(_ accumulator: Vector, _ a: Vector, _ b: Vector) -> Vector {
  accumulator.addingProduct(a, b)
}
