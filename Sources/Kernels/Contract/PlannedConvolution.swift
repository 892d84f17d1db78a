/// Where the operands of a running convolution are: forward reads x and writes y, backward-data reads dy and writes dx.
public struct ConvolutionOperands {
  public var input: UnsafePointer<Float>
  public var packed: UnsafePointer<Float>
  /// As many elements as the output has channels.
  public var bias: UnsafePointer<Float>?
  /// As many elements as the output, in its layout.
  public var addend: UnsafePointer<Float>?
  public var activation: Activation
  /// Values of the activation, in the output's layout: the result is multiplied by the derivative that they tell, and
  /// not activated.
  public var activated: UnsafePointer<Float>?
  /// Whether only the maximum of each 2 x 2 outputs is written, [N, P / 2, Q / 2, K]; an odd last row or column is left out,
  /// and the first NaN is the largest. Without addend and activated, and of plans that take it.
  public var poolsMaximum: Bool
  public var output: UnsafeMutablePointer<Float>

  public init(
    input: UnsafePointer<Float>, packed: UnsafePointer<Float>, bias: UnsafePointer<Float>?,
    addend: UnsafePointer<Float>? = nil, activation: Activation, activated: UnsafePointer<Float>? = nil,
    poolsMaximum: Bool = false, output: UnsafeMutablePointer<Float>
  ) {
    (self.input, self.packed, self.bias, self.addend) = (input, packed, bias, addend)
    (self.activation, self.activated) = (activation, activated)
    (self.poolsMaximum, self.output) = (poolsMaximum, output)
  }
}

/// How one forward or backward-data pass, or one matrix product, is computed: chosen once, then run as often as asked.
/// An immutable value that holds no pointers.
///
/// Tasks are independent: they write disjoint parts of the result, and what a task computes depends on its number only.
public protocol PlannedConvolution: Sendable {
  /// Kernel name in the grammar operation.pass.algorithm.type.isa.tile, as in `conv2d.forward.direct.f32.avx512.12x2`.
  var name: String { get }
  var taskCount: Int { get }
  /// Parts of the output channels. Tasks are numbered part by part: all batch and rows of the first part come first.
  var channelParts: Int { get }
  /// Steps of one multiply-add of a vector that all tasks are expected to take together, for predictions.
  var multiplyAddSteps: Double { get }
  /// Whether ``ConvolutionOperands/poolsMaximum`` may be asked for.
  var takesPooling: Bool { get }
  /// The same for each image alone, with the same packed weights and sums; nil where tasks belong to no image.
  var ofOneImage: (any PlannedConvolution)? { get }
  /// Floats of scratch that a worker needs while it runs tasks; contents needn't survive between calls.
  var scratchCount: Int { get }
  /// Floats of the packed weights.
  var packedCount: Int { get }
  var packTaskCount: Int { get }
  /// Floats of scratch that a worker needs while it packs.
  var packScratchCount: Int { get }

  /// Brings w (or the second factor of a product) into the order in which `run` reads it.
  func pack(
    tasks: Range<Int>, weights: UnsafePointer<Float>, packed: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>)

  /// output = activation(convolution + bias + addend), or, with values y of the activation,
  /// (convolution + bias + addend) activation'(y).
  func run(tasks: Range<Int>, _ operands: ConvolutionOperands, scratch: UnsafeMutablePointer<Float>)
}

extension PlannedConvolution {
  public var takesPooling: Bool { false }
  public var ofOneImage: (any PlannedConvolution)? { nil }
}

/// One that also computes on images whose pixels are channels of wider ones.
public protocol StridedConvolution: PlannedConvolution {
  /// The same where pixels begin so many floats apart; nil: they are dense. Tasks, packed weights and every sum stay as
  /// they are. What the result is added to, or multiplied by the derivative of, must be dense if the result is.
  func strided(inputPitch: Int?, outputPitch: Int?) -> Self
}

/// How one backward-weights pass is computed: `taskCount` tasks each fill a part of `partials`, then
/// `reduceTaskCount` tasks add these in an order that depends on the problem only.
public protocol PlannedWeightGradient: Sendable {
  /// As ``PlannedConvolution/name``.
  var name: String { get }
  var taskCount: Int { get }
  /// As ``PlannedConvolution/multiplyAddSteps``, of the first phase.
  var multiplyAddSteps: Double { get }
  /// As ``PlannedConvolution/scratchCount``.
  var scratchCount: Int { get }
  /// Floats of partial sums between the two phases: at most max(8 dw, 32 MiB).
  var partialsCount: Int { get }
  var reduceTaskCount: Int { get }

  func accumulate(
    tasks: Range<Int>, x: UnsafePointer<Float>, dy: UnsafePointer<Float>, partials: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>)

  func reduce(tasks: Range<Int>, partials: UnsafePointer<Float>, dw: UnsafeMutablePointer<Float>)
}
