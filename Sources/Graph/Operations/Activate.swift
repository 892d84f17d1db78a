/// y = f(x), element by element. x and y have one type.
///
/// - Gradient: from dy and y (``ActivationGradient``).
public struct Activate: Operation, Hashable {
  /// What is applied to each element.
  public let function: ActivationFunction

  /// Attributes are checked when a graph gets the operation.
  public init(function: ActivationFunction) { self.function = function }

  public var name: String { "\(function)" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 1...1, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    try function.validate(at: location)
    return inputs
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  { [try function.gradient(context, in: &graph)] }
}

/// dz from dy and y = f(z): relu y <= 0 ? 0 : dy, leaky relu y <= 0 ? slope dy : dy, clip y <= lower or y >= upper ? 0 :
/// dy, sigmoid dy y (1 - y), tanh dy (1 - y^2).
///
/// - dy, y and dz have one type.
public struct ActivationGradient: Operation, Hashable {
  /// What is applied to each element.
  public let function: ActivationFunction

  /// Attributes are checked when a graph gets the operation.
  public init(function: ActivationFunction) { self.function = function }

  public var name: String { "\(function)_gradient" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 2...2, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    try OperandCheck.equal(inputs[1], inputs[0], "y", at: location)
    return [inputs[0]]
  }
}
