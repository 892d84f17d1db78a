/// A function of single elements whose derivative follows from its operand. Those whose derivative follows from their
/// value, and which kernels take in therefore, are ``ActivationFunction``.
public struct ElementFunction: Hashable, Sendable, CustomStringConvertible {
  package enum Kind: Hashable, Sendable {
    case absolute, squareRoot, exponential, logarithm, reciprocal, errorFunction, floor, ceiling, roundToEven
    case exponentialUnit(scale: Double, alpha: Double, rate: Double)
    case hardSigmoid(slope: Double, offset: Double)
    case hardSwish
    case swish(rate: Double)
    case gelu, geluTanh, mish, softplus, softsign
  }

  package let kind: Kind

  /// |x|; its derivative at 0 is 0.
  public static let absolute = ElementFunction(kind: .absolute)
  /// The square root; NaN below 0.
  public static let squareRoot = ElementFunction(kind: .squareRoot)
  /// e^x.
  public static let exponential = ElementFunction(kind: .exponential)
  /// The natural logarithm; -infinity at 0, NaN below.
  public static let logarithm = ElementFunction(kind: .logarithm)
  /// 1 / x.
  public static let reciprocal = ElementFunction(kind: .reciprocal)
  /// 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
  public static let errorFunction = ElementFunction(kind: .errorFunction)
  /// The largest whole number that isn't above x.
  public static let floor = ElementFunction(kind: .floor)
  /// The smallest whole number that isn't below x.
  public static let ceiling = ElementFunction(kind: .ceiling)
  /// The nearest whole number, the even one of two.
  public static let roundToEven = ElementFunction(kind: .roundToEven)
  /// x above 0, else alpha (e^x - 1). Source: Clevert et al. (2016).
  public static func elu(alpha: Double = 1) -> ElementFunction {
    ElementFunction(kind: .exponentialUnit(scale: 1, alpha: alpha, rate: 1))
  }
  /// gamma times ``elu(alpha:)``. Source: Klambauer et al. (2017).
  public static func selu(alpha: Double, gamma: Double) -> ElementFunction {
    ElementFunction(kind: .exponentialUnit(scale: gamma, alpha: alpha, rate: 1))
  }
  /// x above 0, else alpha (e^(x / alpha) - 1), for an alpha other than 0. Source: Barron (2017).
  public static func celu(alpha: Double = 1) -> ElementFunction {
    ElementFunction(kind: .exponentialUnit(scale: 1, alpha: alpha, rate: 1 / alpha))
  }
  /// slope x + offset, brought into 0...1.
  public static func hardSigmoid(slope: Double = 0.2, offset: Double = 0.5) -> ElementFunction {
    ElementFunction(kind: .hardSigmoid(slope: slope, offset: offset))
  }
  /// x times (x / 6 + 1/2), the latter brought into 0...1. Source: Howard et al. (2019).
  public static let hardSwish = ElementFunction(kind: .hardSwish)
  /// x sigmoid(rate x). Source: Ramachandran et al. (2017).
  public static func swish(rate: Double = 1) -> ElementFunction { ElementFunction(kind: .swish(rate: rate)) }
  /// x Phi(x), Phi the normal distribution. Source: Hendrycks and Gimpel (2016).
  public static let gelu = ElementFunction(kind: .gelu)
  /// The same with Phi(x) = (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
  public static let geluTanh = ElementFunction(kind: .geluTanh)
  /// x tanh(softplus x). Source: Misra (2019).
  public static let mish = ElementFunction(kind: .mish)
  /// log(1 + e^x).
  public static let softplus = ElementFunction(kind: .softplus)
  /// x / (1 + |x|).
  public static let softsign = ElementFunction(kind: .softsign)

  public var description: String {
    switch kind {
    case .absolute: "abs"
    case .squareRoot: "sqrt"
    case .exponential: "exp"
    case .logarithm: "log"
    case .reciprocal: "reciprocal"
    case .errorFunction: "erf"
    case .floor: "floor"
    case .ceiling: "ceil"
    case .roundToEven: "round"
    case .exponentialUnit(let scale, let alpha, let rate): "elu(\(scale), \(alpha), \(rate))"
    case .hardSigmoid(let slope, let offset): "hard_sigmoid(\(slope), \(offset))"
    case .hardSwish: "hard_swish"
    case .swish(let rate): "swish(\(rate))"
    case .gelu: "gelu"
    case .geluTanh: "gelu_tanh"
    case .mish: "mish"
    case .softplus: "softplus"
    case .softsign: "softsign"
    }
  }

  /// Attributes that aren't numbers give results that aren't.
  func validate(at location: String) throws(TesseraError) {
    let attributes: [Double] =
      switch kind {
      case .exponentialUnit(let scale, let alpha, let rate): [scale, alpha, rate]
      case .hardSigmoid(let slope, let offset): [slope, offset]
      case .swish(let rate): [rate]
      default: []
      }
    try OperandCheck.attribute(
      attributes.allSatisfy(\.isFinite), "finite attributes", found: description, at: location)
  }
}

/// y = f(x), element by element. x and y have one type.
///
/// - Gradient: dy f'(x) (``MapElementsGradient``).
public struct MapElements: Operation, Hashable {
  /// What is applied to each element.
  public let function: ElementFunction

  /// Attributes are checked when a graph gets the operation.
  public init(_ function: ElementFunction) { self.function = function }

  public var name: String { "\(function)" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 1...1, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    try function.validate(at: location)
    return inputs
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    [
      try graph.apply(
        MapElementsGradient(function), context.firstOutputGradient(), context.node.inputs[0],
        name: context.name("dx"))
    ]
  }
}

/// dx = dy f'(x), element by element. dy, x and dx have one type.
public struct MapElementsGradient: Operation, Hashable {
  /// Whose derivative it is.
  public let function: ElementFunction

  /// Attributes are checked when a graph gets the operation.
  public init(_ function: ElementFunction) { self.function = function }

  public var name: String { "\(function)_gradient" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 2...2, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    try OperandCheck.equal(inputs[1], inputs[0], "x", at: location)
    return [inputs[0]]
  }
}
