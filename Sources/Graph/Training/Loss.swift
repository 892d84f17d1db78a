/// What training makes small.
public struct Loss: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    case softmaxCrossEntropy(Reduction, labelSmoothing: Double)
    case meanSquaredError(Reduction)
  }

  package let kind: Kind

  /// Cross-entropy of the softmax of the model's output with integer labels. A model that ends in a softmax is trained
  /// on what goes into it: the loss computes both in one, stably.
  /// - Parameter labelSmoothing: the share of the target that all classes have alike, in 0...1.
  public static func softmaxCrossEntropy(reduction: Reduction = .mean, labelSmoothing: Double = 0) -> Loss {
    Loss(kind: .softmaxCrossEntropy(reduction, labelSmoothing: labelSmoothing))
  }

  /// The squared difference of the model's output from a target of the same shape.
  public static func meanSquaredError(reduction: Reduction = .mean) -> Loss {
    Loss(kind: .meanSquaredError(reduction))
  }
}
