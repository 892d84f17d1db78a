/// An operation that computes what variables become, element by element: output i may be written over the variable it
/// replaces.
public protocol UpdateOperation: Operation {}

/// A step of stochastic gradient descent, as `torch.optim.SGD` without dampening:
///
/// g' = g + weightDecay p; v' = momentum v + g'; p' = p - rate (nesterov ? g' + momentum v' : v')
///
/// - Operands p, g: any shape, one type; rate: scalar float32; v like p, if and only if momentum isn't 0. Results p',
///   v'.
public struct SGDUpdate: UpdateOperation, Hashable {
  /// 0 or more; of a running statistic the weight of the new value.
  public let momentum: Double
  /// 0 or more.
  public let weightDecay: Double
  /// Whether the step looks ahead by the momentum.
  public let nesterov: Bool

  /// Attributes are checked when a graph gets the operation.
  public init(momentum: Double, weightDecay: Double, nesterov: Bool) {
    (self.momentum, self.weightDecay, self.nesterov) = (momentum, weightDecay, nesterov)
  }

  public var name: String { "sgd" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    let count = momentum == 0 ? 3 : 4
    try OperandCheck.count(inputs, count...count, at: location)
    try OperandCheck.attribute(
      momentum >= 0 && momentum.isFinite, "a finite momentum of 0 or more", found: "\(momentum)",
      at: location)
    try OperandCheck.attribute(
      weightDecay >= 0 && weightDecay.isFinite, "a finite weight decay of 0 or more",
      found: "\(weightDecay)", at: location)
    try OperandCheck.attribute(
      !nesterov || momentum > 0, "a momentum above 0 with Nesterov", found: "\(momentum)",
      at: location)
    let state = try UpdateCheck.state(inputs, from: 3, at: location)
    return [inputs[0]] + state
  }
}

/// A step of Adam, as `torch.optim.Adam` and, with decoupled decay, `torch.optim.AdamW`. With t = step + 1:
///
/// decoupled: p = p (1 - rate weightDecay), else g = g + weightDecay p; m' = m + (1 - beta1)(g - m);
/// v' = beta2 v + (1 - beta2) g^2; p' = p - rate / (1 - beta1^t) m' / (sqrt(v' / (1 - beta2^t)) + epsilon)
///
/// - Operands p, g: any shape, one type; rate: scalar float32; m, v like p; step: scalar int64 before this step.
///   Results p', m', v'.
/// - Source: Kingma and Ba (2015); Loshchilov and Hutter (2019).
public struct AdamUpdate: UpdateOperation, Hashable {
  /// Decay of the first moment, in 0..<1.
  public let beta1: Double
  /// Decay of the second moment, in 0..<1.
  public let beta2: Double
  /// Added to what is divided by; finite, 0 or more.
  public let epsilon: Double
  /// 0 or more.
  public let weightDecay: Double
  /// Whether the decay acts on the weights, as AdamW has it, and not on gradients.
  public let decoupled: Bool

  /// Attributes are checked when a graph gets the operation.
  public init(beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double, decoupled: Bool) {
    (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
    (self.weightDecay, self.decoupled) = (weightDecay, decoupled)
  }

  public var name: String { "adam" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 6...6, at: location)
    try OperandCheck.attribute(
      beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1, "betas in 0..<1",
      found: "\(beta1), \(beta2)", at: location)
    try OperandCheck.attribute(
      epsilon >= 0 && epsilon.isFinite, "a finite epsilon of 0 or more", found: "\(epsilon)",
      at: location)
    try OperandCheck.attribute(
      weightDecay >= 0 && weightDecay.isFinite, "a finite weight decay of 0 or more",
      found: "\(weightDecay)", at: location)
    try OperandCheck.equal(inputs[5], TensorType(.scalar, .int64), "step", at: location)
    let state = try UpdateCheck.state(Array(inputs[0..<5]), from: 3, at: location)
    return [inputs[0]] + state
  }
}

/// The next value of a counter: x + 1, of an int64 scalar.
public struct Increment: UpdateOperation, Hashable {
  /// The operation has no attributes.
  public init() {}

  public var name: String { "increment" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 1...1, at: location)
    try OperandCheck.equal(inputs[0], TensorType(.scalar, .int64), "a counter", at: location)
    return inputs
  }
}

/// A running statistic: y = (1 - momentum) running + momentum factor new. All tensors have one type.
public struct MovingAverage: Operation, Hashable {
  /// 0 or more; of a running statistic the weight of the new value.
  public let momentum: Double
  /// What elements are multiplied by.
  public let factor: Double

  /// Attributes are checked when a graph gets the operation.
  public init(momentum: Double, factor: Double = 1) {
    (self.momentum, self.factor) = (momentum, factor)
  }

  public var name: String { "moving_average" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 2...2, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    try OperandCheck.attribute(
      momentum >= 0 && momentum <= 1, "a momentum in 0...1", found: "\(momentum)", at: location)
    try OperandCheck.equal(inputs[1], inputs[0], "the new value", at: location)
    return [inputs[0]]
  }
}

private enum UpdateCheck {
  /// Checks p, g, rate and the optimizer's state after them; returns the state's types.
  static func state(_ inputs: [TensorType], from first: Int, at location: String)
    throws(TesseraError) -> [TensorType]
  {
    try OperandCheck.floatingPoint([inputs[0], inputs[1]], at: location)
    try OperandCheck.equal(inputs[1], inputs[0], "gradient", at: location)
    try OperandCheck.equal(inputs[2], TensorType(.scalar), "learning rate", at: location)
    for type in inputs[first...] {
      try OperandCheck.equal(type, inputs[0], "optimizer state", at: location)
    }
    return Array(inputs[first...])
  }
}
