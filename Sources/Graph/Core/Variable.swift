/// State that outlives a run: a weight, an optimizer's moment, a running statistic, the step. It lives in a parameter
/// store under its name; graphs read it as a value and say what it becomes at the end of a step.
public struct Variable: Hashable, Sendable {
  /// What a variable is for; optimizers differentiate with respect to trainable weights only.
  public enum Role: Hashable, Sendable {
    case weight
    case statistic
    case optimizerState
    case counter
    /// A sum of gradients over micro-batches: zero between steps.
    case gradientSum

    /// Whether training can't go on without its value.
    package var isKept: Bool { self != .gradientSum }
  }

  /// Unique in a store: the layer's path and the parameter's name.
  public let name: String
  /// Shape and element type, the same in every program.
  public let type: TensorType
  /// What the variable is for.
  public let role: Role
  /// Where its first value comes from.
  public let initializer: Initializer
  /// False for a frozen weight: it gets no gradient.
  public let isTrainable: Bool
  /// The parameter group that sets learning rate and weight decay.
  public let group: String

  /// A variable; only a weight can be trainable, whatever is asked for.
  public init(
    name: String, type: TensorType, role: Role = .weight, initializer: Initializer = .zeros,
    isTrainable: Bool = true, group: String = Variable.defaultGroup
  ) {
    self.name = name
    self.type = type
    self.role = role
    self.initializer = initializer
    self.isTrainable = isTrainable && role == .weight
    self.group = group
  }

  /// The parameter group of weights that name no other.
  public static let defaultGroup = "default"
}
