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

/// accumulator + a * b, rounded twice: without a hardware instruction a fused one would call `fmaf` for every lane.
@inline(__always)
func multiplyAdd(_ accumulator: Vector, _ a: Vector, _ b: Vector) -> Vector {
  accumulator + a * b
}
