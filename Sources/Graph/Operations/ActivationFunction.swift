/// An element-wise function whose derivative follows from its value, so that it can be fused into the operation before
/// it.
public struct ActivationFunction: Hashable, Sendable, CustomStringConvertible {
  package enum Kind: Hashable, Sendable {
    case identity, relu, sigmoid, tanh
    case leakyRelu(slope: Double)
    case clip(lower: Double, upper: Double)
  }

  package let kind: Kind

  /// x itself.
  public static let identity = ActivationFunction(kind: .identity)
  /// max(x, 0); NaN stays NaN.
  public static let relu = ActivationFunction(kind: .relu)
  /// 1 / (1 + exp(-x)).
  public static let sigmoid = ActivationFunction(kind: .sigmoid)
  /// The hyperbolic tangent.
  public static let tanh = ActivationFunction(kind: .tanh)
  /// x below 0 times the slope, a finite number above 0.
  public static func leakyRelu(slope: Double) -> ActivationFunction {
    ActivationFunction(kind: .leakyRelu(slope: slope))
  }

  /// The nearest number in lower...upper, of which lower is the smaller; NaN stays NaN.
  public static func clip(lower: Double, upper: Double) -> ActivationFunction {
    ActivationFunction(kind: .clip(lower: lower, upper: upper))
  }
  /// min(max(x, 0), 6).
  public static let relu6 = clip(lower: 0, upper: 6)

  public var description: String {
    switch kind {
    case .identity: "identity"
    case .relu: "relu"
    case .sigmoid: "sigmoid"
    case .tanh: "tanh"
    case .leakyRelu(let slope): "leaky_relu(\(slope))"
    case .clip(let lower, let upper): "clip(\(lower)...\(upper))"
    }
  }

  func validate(at location: String) throws(TesseraError) {
    switch kind {
    case .leakyRelu(let slope):
      try OperandCheck.attribute(
        slope > 0 && slope.isFinite, "a finite slope above 0", found: "\(slope)", at: location)
    case .clip(let lower, let upper):
      try OperandCheck.attribute(
        lower < upper, "a lower bound below the upper", found: "\(lower) and \(upper)", at: location)
    case .identity, .relu, .sigmoid, .tanh: break
    }
  }
}
