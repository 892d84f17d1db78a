/// A function of one number that isn't an ``Activation``: its derivative follows from the operand.
public enum MapFunction: Hashable, Sendable {
  case absolute, squareRoot, exponential, logarithm, reciprocal, errorFunction, floor, ceiling, roundToEven
  /// x > 0 ? scale x : scale alpha (exp(rate x) - 1)
  case exponentialUnit(scale: Double, alpha: Double, rate: Double)
  /// slope x + offset, brought into 0...1
  case hardSigmoid(slope: Double, offset: Double)
  /// x times x / 6 + 1 / 2, the latter brought into 0...1
  case hardSwish
  /// x sigmoid(rate x)
  case swish(rate: Double)
  /// x Phi(x), and the same by tanh
  case gelu, geluTanh
  /// x tanh(softplus x)
  case mish
  /// log(1 + exp x)
  case softplus
  /// x / (1 + |x|)
  case softsign
}

/// A function of two numbers. Maximum and minimum are NaN where an operand is; `equal` is 1 or 0; `slopeBelowZero` is a
/// >= 0 ? 1 : b, and `leak` a times that.
public enum PairFunction: Hashable, Sendable {
  case add, subtract, multiply, divide, power, maximum, minimum, equal, slopeBelowZero, leak
}

/// How elements become one. Maximum and minimum are NaN where an element is.
public enum FoldFunction: Hashable, Sendable {
  case sum, maximum, minimum, product
}

/// Functions of single elements, pairs and columns of contiguous Floats. A result may be the same pointer as an
/// operand.
public protocol FunctionKernels {
  /// y = f(x)
  static func mapElements(_ function: MapFunction, count: Int, x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>)

  /// dx = dy f'(x)
  static func mapElementsGradient(
    _ function: MapFunction, count: Int, dy: UnsafePointer<Float>, x: UnsafePointer<Float>,
    dx: UnsafeMutablePointer<Float>)

  /// y[i] = f(a[i aStep], b[i bStep]); a step is 1, or 0 for an operand of one element, which then isn't y.
  static func pairs(
    _ function: PairFunction, count: Int, a: UnsafePointer<Float>, aStep: Int, b: UnsafePointer<Float>, bStep: Int,
    y: UnsafeMutablePointer<Float>)

  /// y[j] = f over all i < rows of x[i rowStep + j], for j < width; rows is at least 1, and y isn't x. A sum is as
  /// exact as one in pieces of 64 rows, or pairwise where width is 1 and rows are contiguous.
  static func fold(
    _ function: FoldFunction, rows: Int, width: Int, x: UnsafePointer<Float>, rowStep: Int,
    y: UnsafeMutablePointer<Float>)

  /// y += factor x
  static func addScaled(factor: Float, count: Int, x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>)
}
