/// How one convolution pass is computed: chosen once from geometry and cache sizes, then run as often as asked.
/// Immutable, comparable, printable; holds no pointers.
public struct ConvolutionPlan: Sendable {
  /// Kernel name in the grammar operation.pass.type.isa.tile, as in `conv2d.forward.f32.avx512.12x2`.
  public var name: String
  /// Independent pieces of work: tasks write disjoint parts of the result, and what a task computes depends on its
  /// number only.
  public var taskCount: Int
  /// Floats of scratch that a worker needs while it runs tasks; contents needn't survive between calls.
  public var scratchCount: Int
  /// Floats of the packed weights, 0 where weights are used as they are.
  public var packedCount: Int
  /// Tasks of packing the weights.
  public var packTaskCount: Int
  /// What the kernel needs to know besides, of no meaning to others.
  public var details: any Sendable

  public init(
    name: String, taskCount: Int, scratchCount: Int, packedCount: Int, packTaskCount: Int,
    details: any Sendable
  ) {
    self.name = name
    self.taskCount = taskCount
    self.scratchCount = scratchCount
    self.packedCount = packedCount
    self.packTaskCount = packTaskCount
    self.details = details
  }
}

/// How one backward-weights pass is computed: `taskCount` tasks each fill a part of `partials`, then
/// `reduceTaskCount` tasks add these in an order that depends on the problem only.
public struct WeightGradientPlan: Sendable {
  public var name: String
  public var taskCount: Int
  public var scratchCount: Int
  /// Floats of partial sums between the two phases.
  public var partialsCount: Int
  public var reduceTaskCount: Int
  public var details: any Sendable

  public init(
    name: String, taskCount: Int, scratchCount: Int, partialsCount: Int, reduceTaskCount: Int,
    details: any Sendable
  ) {
    self.name = name
    self.taskCount = taskCount
    self.scratchCount = scratchCount
    self.partialsCount = partialsCount
    self.reduceTaskCount = reduceTaskCount
    self.details = details
  }
}

/// Convolution in its three passes. All tensors are dense, row-major, of Float: x [N,H,W,C], w [R,S,C/G,K], y
/// [N,P,Q,K]. No pointer needs an alignment (64 bytes is fastest); results never alias operands; every pass writes
/// every element of its result; nothing outside the tensors is read or written. All geometries with at least one
/// element are served.
public protocol ConvolutionKernels {
  static func forwardPlan(_ geometry: ConvolutionGeometry, caches: CacheSizes) -> ConvolutionPlan

  /// The transposed convolution dx[n,h,w,c] = sum over r,s,k of dy w, where dx positions that no window reaches are 0
  /// (or the bias's activation, see `convolve`).
  static func backwardDataPlan(_ geometry: ConvolutionGeometry, caches: CacheSizes)
    -> ConvolutionPlan

  static func weightGradientPlan(_ geometry: ConvolutionGeometry, caches: CacheSizes)
    -> WeightGradientPlan

  /// Brings w into the order in which `convolve` reads it; rotated and transposed for backward-data.
  static func packWeights(
    _ plan: ConvolutionPlan, tasks: Range<Int>, weights: UnsafePointer<Float>,
    packed: UnsafeMutablePointer<Float>)

  /// Runs tasks of a forward plan (input x, output y) or of a backward-data plan (input dy, output dx):
  /// output = activation(convolution + bias). The bias has as many elements as the output has channels.
  static func convolve(
    _ plan: ConvolutionPlan, tasks: Range<Int>, input: UnsafePointer<Float>,
    packed: UnsafePointer<Float>, bias: UnsafePointer<Float>?, activation: Activation,
    output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>)

  static func accumulateWeightGradient(
    _ plan: WeightGradientPlan, tasks: Range<Int>, x: UnsafePointer<Float>,
    dy: UnsafePointer<Float>, partials: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>)

  static func reduceWeightGradient(
    _ plan: WeightGradientPlan, tasks: Range<Int>, partials: UnsafePointer<Float>,
    dw: UnsafeMutablePointer<Float>)
}
