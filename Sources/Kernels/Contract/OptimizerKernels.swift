/// Hyper-parameters of one stochastic gradient descent step, as in `torch.optim.SGD` without dampening.
public struct SGDStep: Hashable, Sendable {
  /// Factor of the step.
  public var learningRate: Double
  /// Share of the velocity that is kept.
  public var momentum: Double
  /// Share of the weights that decays.
  public var weightDecay: Double
  /// Whether the step looks ahead by the momentum.
  public var nesterov: Bool

  /// What all elements of a step share.
  public init(learningRate: Double, momentum: Double, weightDecay: Double, nesterov: Bool) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.nesterov = nesterov
  }
}

/// Hyper-parameters of one Adam step, as in `torch.optim.Adam` and, with `decoupled` decay, `torch.optim.AdamW`.
public struct AdamStep: Hashable, Sendable {
  /// Factor of the step.
  public var learningRate: Double
  /// Decay of the first moment.
  public var beta1: Double
  /// Decay of the second moment.
  public var beta2: Double
  /// Added to the root that is divided by.
  public var epsilon: Double
  /// Share of the weights that decays.
  public var weightDecay: Double
  /// Whether the decay acts on the weights and not on gradients.
  public var decoupled: Bool
  /// 1 for the first step.
  public var step: Int64

  /// What all elements of a step share.
  public init(
    learningRate: Double, beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double,
    decoupled: Bool, step: Int64
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.decoupled = decoupled
    self.step = step
  }
}

/// In-place updates of `count` contiguous parameters.
public protocol OptimizerKernels {
  /// g' = g + weightDecay p; v = momentum v + g'; d = nesterov ? g' + momentum v : v; p = p - learningRate d.
  /// `velocity` may be nil iff momentum is 0; then d = g'.
  static func sgd(
    _ step: SGDStep, count: Int, gradient: UnsafePointer<Float>,
    parameter: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>?)

  /// Decoupled: p = p (1 - learningRate weightDecay) first; else g' = g + weightDecay p.
  /// m = m + (1 - beta1)(g' - m); v = beta2 v + (1 - beta2) g' g';
  /// p = p - learningRate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon).
  static func adam(
    _ step: AdamStep, count: Int, gradient: UnsafePointer<Float>,
    parameter: UnsafeMutablePointer<Float>, firstMoment: UnsafeMutablePointer<Float>,
    secondMoment: UnsafeMutablePointer<Float>)
}
