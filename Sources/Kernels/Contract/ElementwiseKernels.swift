/// Functions of single elements over `count` contiguous Floats. A result may be the same pointer as an operand.
///
/// Here and in the other families `streams` asks that results be written past the caches, for tensors that don't fit
/// there: lines that are written whole needn't be read first. It changes no bit of them.
public protocol ElementwiseKernels {
  static func activate(
    _ activation: Activation, count: Int, x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>, streams: Bool)

  /// dz from dy and the activation's output y.
  static func activateBackward(
    _ activation: Activation, count: Int, dy: UnsafePointer<Float>, y: UnsafePointer<Float>,
    dz: UnsafeMutablePointer<Float>, streams: Bool)

  /// What follows a sum that is still in a cache: y = activation(y + addend), or, with values of the activation,
  /// y = (y + addend) activation'(activated).
  static func finish(
    count: Int, y: UnsafeMutablePointer<Float>, addend: UnsafePointer<Float>?, activation: Activation,
    activated: UnsafePointer<Float>?)

  /// y = a + b
  static func add(
    count: Int, a: UnsafePointer<Float>, b: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>, streams: Bool)

  /// y = a - b
  static func subtract(
    count: Int, a: UnsafePointer<Float>, b: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>, streams: Bool)

  /// y = a * b
  static func multiply(
    count: Int, a: UnsafePointer<Float>, b: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>, streams: Bool)

  /// y = factor * x + offset
  static func affine(
    count: Int, factor: Float, offset: Float, x: UnsafePointer<Float>,
    y: UnsafeMutablePointer<Float>, streams: Bool)

  /// y = factor * x + offset of bytes, for images.
  static func affine(
    count: Int, factor: Float, offset: Float, bytes: UnsafePointer<UInt8>,
    y: UnsafeMutablePointer<Float>)

  /// y = factor * (a - b)
  static func scaledDifference(
    count: Int, factor: Float, a: UnsafePointer<Float>, b: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>,
    streams: Bool)

  /// The sum of x in an order that depends on count only, and in at least the accuracy of pairwise summation.
  static func sum(count: Int, x: UnsafePointer<Float>) -> Float

  /// The sum of (a - b)^2, likewise.
  static func squaredDistance(count: Int, a: UnsafePointer<Float>, b: UnsafePointer<Float>) -> Float

  /// The sum of x^2, likewise.
  static func sumOfSquares(count: Int, x: UnsafePointer<Float>) -> Float

  /// True iff no element is NaN or infinite.
  static func allFinite(count: Int, x: UnsafePointer<Float>) -> Bool

  /// Inverted dropout: y = keep ? x / (1 - probability) : 0, where element i (counted from `first` in the whole tensor)
  /// is dropped iff the 32-bit word i % 4 of Philox4x32-10 with counter (i / 4 low, i / 4 high, step low, step high)
  /// and key (seed mixed with stream: see ``DropoutKey``) is below probability * 2^32. 0 <= probability < 1, in double
  /// precision: as a Float what is near 1 would be 1, and the scale infinite.
  static func dropout(
    first: Int, count: Int, probability: Double, key: DropoutKey, step: UInt64,
    x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>, streams: Bool)
}

/// Philox key of a dropout layer: its seed and the stream that its name stands for.
public struct DropoutKey: Hashable, Sendable {
  /// The low word.
  public var word0: UInt32
  /// The high word.
  public var word1: UInt32

  /// A key as it is.
  public init(word0: UInt32, word1: UInt32) {
    self.word0 = word0
    self.word1 = word1
  }

  /// Mixes both through the finalizer of SplitMix64 (Steele, Lea, Flood 2014), so that near seeds and names give
  /// unrelated keys.
  public init(seed: UInt64, stream: UInt64) {
    var z = seed &+ 0x9E37_79B9_7F4A_7C15 &* (stream | 1)
    z ^= stream
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    z ^= z >> 31
    self.init(word0: UInt32(truncatingIfNeeded: z), word1: UInt32(truncatingIfNeeded: z >> 32))
  }
}
