/// How a variable gets its first value. Random values depend on the store's seed and the variable's name only.
public struct Initializer: Hashable, Sendable {
  /// What a parameter store evaluates; hosts use the static members.
  package enum Distribution: Hashable, Sendable {
    case constant(Double)
    /// Uniform in [-bound, bound).
    case uniform(bound: Double)
    /// Normal with mean 0.
    case normal(deviation: Double)
    /// Uniform with bound sqrt(6 / (fanIn + fanOut)).
    case glorotUniform
    /// Normal with deviation sqrt(2 / fanIn).
    case heNormal
    /// Uniform with bound 1 / sqrt(fanIn).
    case inverseFanIn
    /// Exactly these elements, row-major.
    case elements([Double])
  }

  package let distribution: Distribution

  /// All 0.
  public static let zeros = Initializer(distribution: .constant(0))
  /// All the same.
  public static func constant(_ value: Double) -> Initializer {
    Initializer(distribution: .constant(value))
  }
  /// Uniform in [-bound, bound).
  public static func uniform(bound: Double) -> Initializer {
    Initializer(distribution: .uniform(bound: bound))
  }
  /// Normal with mean 0.
  public static func normal(deviation: Double) -> Initializer {
    Initializer(distribution: .normal(deviation: deviation))
  }
  /// Uniform in +-sqrt(6 / (fanIn + fanOut)). Source: Glorot and Bengio (2010).
  public static let glorot = Initializer(distribution: .glorotUniform)
  /// Normal with deviation sqrt(2 / fanIn), for ReLU. Source: He et al. (2015).
  public static let he = Initializer(distribution: .heNormal)
  /// Uniform in +-1 / sqrt(fanIn), PyTorch's default for weights of convolution and linear layers.
  public static let inverseFanIn = Initializer(distribution: .inverseFanIn)
  /// The given elements, row-major; their number must be the variable's.
  public static func elements(_ elements: [Double]) -> Initializer {
    Initializer(distribution: .elements(elements))
  }
}
