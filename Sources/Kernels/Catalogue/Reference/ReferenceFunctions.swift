import RealModule
public import TesseraKernelContract

extension Reference {
  /// f(x)
  public static func value(_ function: MapFunction, _ x: Double) -> Double {
    switch function {
    case .absolute: abs(x)
    case .squareRoot: x.squareRoot()
    case .exponential: .exp(x)
    case .logarithm: .log(x)
    case .reciprocal: 1 / x
    case .errorFunction: .erf(x)
    case .floor: x.rounded(.down)
    case .ceiling: x.rounded(.up)
    case .roundToEven: x.rounded(.toNearestOrEven)
    case .exponentialUnit(let scale, let alpha, let rate):
      x > 0 ? scale * x : scale * alpha * .expMinusOne(rate * x)
    case .hardSigmoid(let slope, let offset): clipped(slope * x + offset)
    case .hardSwish: x * clipped(x / 6 + 0.5)
    case .swish(let rate): x * logistic(rate * x)
    case .gelu: x * .erfc(-x / 2.0.squareRoot()) / 2
    case .geluTanh: x * logistic(2 * geluArgument(x))
    case .mish: x * .tanh(softplus(x))
    case .softplus: softplus(x)
    case .softsign: x / (1 + abs(x))
    }
  }

  /// f'(x)
  public static func derivative(_ function: MapFunction, _ x: Double) -> Double {
    switch function {
    case .absolute: x < 0 ? -1 : x == 0 ? 0 : 1
    case .squareRoot: 0.5 / x.squareRoot()
    case .exponential: .exp(x)
    case .logarithm: 1 / x
    case .reciprocal: -1 / (x * x)
    case .errorFunction: 2 / Double.pi.squareRoot() * .exp(-x * x)
    case .floor, .ceiling, .roundToEven: 0
    case .exponentialUnit(let scale, let alpha, let rate):
      x > 0 ? scale : scale * alpha * rate * .exp(rate * x)
    case .hardSigmoid(let slope, let offset): 0 < slope * x + offset && slope * x + offset < 1 ? slope : 0
    case .hardSwish: x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5
    case .swish(let rate):
      logistic(rate * x) * (1 + rate * x * (1 - logistic(rate * x)))
    case .gelu:
      .erfc(-x / 2.0.squareRoot()) / 2 + x * .exp(-x * x / 2) / (2 * Double.pi).squareRoot()
    case .geluTanh: geluTanhDerivative(x)
    case .mish:
      .tanh(softplus(x)) + x * (1 - .tanh(softplus(x)) * .tanh(softplus(x))) * logistic(x)
    case .softplus: logistic(x)
    case .softsign: 1 / ((1 + abs(x)) * (1 + abs(x)))
    }
  }

  /// f(a, b)
  public static func value(_ function: PairFunction, _ a: Double, _ b: Double) -> Double {
    switch function {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    // Not the numerics package's, which is defined for a above 0 only.
    case .power: power(a, b)
    case .maximum: a.isNaN || a > b ? a : b
    case .minimum: a.isNaN || a < b ? a : b
    case .equal: a == b ? 1 : 0
    case .slopeBelowZero: a < 0 ? b : 1
    case .leak: a < 0 ? a * b : a
    }
  }

  /// What a fold of no elements gives.
  public static func identity(_ function: FoldFunction) -> Double {
    switch function {
    case .sum: 0
    case .maximum: -.infinity
    case .minimum: .infinity
    case .product: 1
    }
  }

  /// One more element.
  public static func folded(_ function: FoldFunction, _ a: Double, _ b: Double) -> Double {
    switch function {
    case .sum: a + b
    case .maximum: value(.maximum, a, b)
    case .minimum: value(.minimum, a, b)
    case .product: a * b
    }
  }

  private static func power(_ a: Double, _ b: Double) -> Double {
    let magnitude = Double.pow(abs(a), b)
    if b == 0 { return 1 }
    guard a < 0 else { return magnitude }
    guard b == b.rounded() else { return b.isInfinite ? magnitude : .nan }
    return b.remainder(dividingBy: 2) == 0 ? magnitude : -magnitude
  }

  private static func clipped(_ x: Double) -> Double { x < 0 ? 0 : x > 1 ? 1 : x }

  private static func logistic(_ x: Double) -> Double { 1 / (1 + .exp(-x)) }

  private static func softplus(_ x: Double) -> Double { max(x, 0) + .log(onePlus: .exp(-abs(x))) }

  private static func geluArgument(_ x: Double) -> Double {
    (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
  }

  private static func geluTanhDerivative(_ x: Double) -> Double {
    let s = logistic(2 * geluArgument(x))
    return s + x * s * (1 - s) * 2 * (2 / Double.pi).squareRoot() * (1 + 3 * 0.044715 * x * x)
  }
}
