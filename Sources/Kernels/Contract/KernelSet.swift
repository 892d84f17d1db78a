/// Every kernel of one instruction set. The same source compiles into one module an instruction set, each of which
/// declares one type that conforms to this.
///
/// Kernels know no graph and no threads: they get raw pointers and a range of tasks or elements, compute and return.
/// They don't allocate, don't throw and check nothing but by `precondition` once a call: callers have checked.
public protocol KernelSet: ConvolutionKernels, MatrixKernels, PoolingKernels, NormalizationKernels,
  RowNormalizationKernels, ElementwiseKernels, FunctionKernels, LossKernels, OptimizerKernels, MeasurementKernels,
  SendableMetatype
{
  static var instructionSet: InstructionSet { get }
}
