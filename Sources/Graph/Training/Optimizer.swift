/// What an optimizer does otherwise for one group of parameters. The group's learning rate is an input of the program.
public struct ParameterGroup: Hashable, Sendable {
  /// Nil: the optimizer's.
  public var weightDecay: Double?

  /// - Parameter weightDecay: nil: the optimizer's.
  public init(weightDecay: Double? = nil) { self.weightDecay = weightDecay }
}

/// How gradients change weights. Learning rates are inputs of each step, so a schedule never recompiles.
public struct Optimizer: Hashable, Sendable {
  enum Rule: Hashable, Sendable {
    case sgd(momentum: Double, nesterov: Bool)
    case adam(beta1: Double, beta2: Double, epsilon: Double, decoupled: Bool)
  }

  let rule: Rule
  let weightDecay: Double
  let groups: [String: ParameterGroup]
  /// Of all gradients together; nil: any.
  let largestNorm: Double?

  private init(rule: Rule, weightDecay: Double, groups: [String: ParameterGroup], largestNorm: Double? = nil) {
    (self.rule, self.weightDecay, self.groups, self.largestNorm) = (rule, weightDecay, groups, largestNorm)
  }

  /// The same with gradients that are scaled down, all alike, where the norm of all of them together is larger than this.
  /// As `torch.nn.utils.clip_grad_norm_`: by norm / (their norm + 1e-6).
  /// - Parameter norm: above 0.
  public func clippingGradients(toNorm norm: Double) -> Optimizer {
    Optimizer(rule: rule, weightDecay: weightDecay, groups: groups, largestNorm: norm)
  }

  /// As `torch.optim.SGD` with dampening 0.
  public static func sgd(
    momentum: Double = 0, nesterov: Bool = false, weightDecay: Double = 0,
    groups: [String: ParameterGroup] = [:]
  ) -> Optimizer {
    Optimizer(
      rule: .sgd(momentum: momentum, nesterov: nesterov), weightDecay: weightDecay, groups: groups)
  }

  /// As `torch.optim.Adam`: weight decay is added to the gradient.
  public static func adam(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0,
    groups: [String: ParameterGroup] = [:]
  ) -> Optimizer {
    Optimizer(
      rule: .adam(beta1: beta1, beta2: beta2, epsilon: epsilon, decoupled: false),
      weightDecay: weightDecay, groups: groups)
  }

  /// As `torch.optim.AdamW`: weight decay shrinks the weights.
  public static func adamW(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0.01,
    groups: [String: ParameterGroup] = [:]
  ) -> Optimizer {
    Optimizer(
      rule: .adam(beta1: beta1, beta2: beta2, epsilon: epsilon, decoupled: true),
      weightDecay: weightDecay, groups: groups)
  }

  /// Appends the update of one weight and of the state that belongs to it.
  func update(
    _ weight: Graph.VariableRead, gradient: Value, learningRate: Value, step: Value,
    in graph: inout Graph
  ) throws(TesseraError) {
    let variable = weight.variable
    let decay = groups[variable.group]?.weightDecay ?? weightDecay
    func state(_ suffix: String, in graph: inout Graph) throws(TesseraError) -> Value {
      try graph.addVariable(
        Variable(
          name: "\(variable.name).\(suffix)", type: variable.type, role: .optimizerState,
          isTrainable: false, group: variable.group))
    }
    var operands = [weight.value, gradient, learningRate]
    var states: [Value] = []
    let operation: any Operation
    switch rule {
    case .sgd(let momentum, let nesterov):
      if momentum != 0 { states = [try state("velocity", in: &graph)] }
      operands += states
      operation = SGDUpdate(momentum: momentum, weightDecay: decay, nesterov: nesterov)
    case .adam(let beta1, let beta2, let epsilon, let decoupled):
      states = [try state("first_moment", in: &graph), try state("second_moment", in: &graph)]
      operands += states + [step]
      operation = AdamUpdate(
        beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: decay, decoupled: decoupled)
    }
    let results = try graph.add(operation, operands, name: "\(variable.name).update")
    for (old, new) in zip([weight.value] + states, results) {
      try graph.addUpdate(of: old, to: new)
    }
  }
}
