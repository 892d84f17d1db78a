public import TesseraKernelContract

/// All kernels, compiled for `avx512`.
public enum AVX512Kernels: KernelSet {
  public static let instructionSet = InstructionSet.avx512
}

/// The name by which the shared source extends this module's type.
typealias Kernels = AVX512Kernels

/// One vector register of Floats.
typealias Vector = SIMD16<Float>
/// As many integers as ``Vector`` has lanes.
typealias IntVector = SIMD16<Int32>

/// accumulator + a * b, fused.
@inline(__always)
func multiplyAdd(_ accumulator: Vector, _ a: Vector, _ b: Vector) -> Vector {
  accumulator.addingProduct(a, b)
}
