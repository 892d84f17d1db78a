/// The activation of a layer, by the names that Keras gives them.
public struct LayerActivation: Hashable, Sendable {
  private enum Kind: Hashable, Sendable {
    case function(ActivationFunction)
    case softmax
  }

  private let kind: Kind

  /// None.
  public static let linear = LayerActivation(kind: .function(.identity))
  /// max(x, 0).
  public static let relu = LayerActivation(kind: .function(.relu))
  /// 1 / (1 + exp(-x)).
  public static let sigmoid = LayerActivation(kind: .function(.sigmoid))
  /// The hyperbolic tangent.
  public static let tanh = LayerActivation(kind: .function(.tanh))
  /// Over the channels.
  public static let softmax = LayerActivation(kind: .softmax)
  /// Below 0 times the slope, a finite number above 0.
  public static func leakyRelu(slope: Double = 0.01) -> LayerActivation {
    LayerActivation(kind: .function(.leakyRelu(slope: slope)))
  }

  /// min(max(x, 0), 6).
  public static let relu6 = LayerActivation(kind: .function(.relu6))
  /// The nearest number in lower...upper, of which lower is the smaller.
  public static func clip(lower: Double, upper: Double) -> LayerActivation {
    LayerActivation(kind: .function(.clip(lower: lower, upper: upper)))
  }

  /// Appends the activation; a pass fuses it into the operation before it where that is possible.
  func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    switch kind {
    case .function(.identity): x
    case .function(let function):
      try builder.apply(Activate(function: function), [x], name: "activation")
    case .softmax: try builder.apply(SoftmaxOperation(), [x], name: "softmax")
    }
  }
}

/// An activation as a layer of its own.
private func buildActivation(
  _ activation: LayerActivation, _ name: String?, _ kind: String, _ x: Value,
  _ builder: ModelBuilder
) throws(TesseraError) -> Value {
  try builder.scope(name, kind: kind) { () throws(TesseraError) in
    try activation.build(x, in: builder)
  }
}

/// max(x, 0); NaN stays NaN.
public struct ReLU: Layer {
  private let name: String?
  /// - Parameter name: nil: from kind and order.
  public init(name: String? = nil) { self.name = name }
  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try buildActivation(.relu, name, "relu", x, builder)
  }
}

/// min(max(x, 0), 6); NaN stays NaN.
public struct ReLU6: Layer {
  private let name: String?
  /// - Parameter name: nil: from kind and order.
  public init(name: String? = nil) { self.name = name }
  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try buildActivation(.relu6, name, "relu6", x, builder)
  }
}

/// x below 0 times the slope.
public struct LeakyReLU: Layer {
  private let slope: Double
  private let name: String?
  /// - Parameter slope: a finite number above 0.
  public init(slope: Double = 0.01, name: String? = nil) { (self.slope, self.name) = (slope, name) }
  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try buildActivation(.leakyRelu(slope: slope), name, "leaky_relu", x, builder)
  }
}

/// 1 / (1 + exp(-x)).
public struct Sigmoid: Layer {
  private let name: String?
  /// - Parameter name: nil: from kind and order.
  public init(name: String? = nil) { self.name = name }
  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try buildActivation(.sigmoid, name, "sigmoid", x, builder)
  }
}

/// The hyperbolic tangent.
public struct Tanh: Layer {
  private let name: String?
  /// - Parameter name: nil: from kind and order.
  public init(name: String? = nil) { self.name = name }
  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try buildActivation(.tanh, name, "tanh", x, builder)
  }
}

/// The softmax over the last dimension.
public struct Softmax: Layer {
  private let name: String?
  /// - Parameter name: nil: from kind and order.
  public init(name: String? = nil) { self.name = name }
  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try buildActivation(.softmax, name, "softmax", x, builder)
  }
}
