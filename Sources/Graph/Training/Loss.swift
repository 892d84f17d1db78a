/// What training makes small.
public struct Loss: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    case softmaxCrossEntropy(Reduction)
    case meanSquaredError(Reduction)
  }

  package let kind: Kind

  /// Cross-entropy of the softmax of the model's output with integer labels. A model that ends in a softmax is trained
  /// on what goes into it: the loss computes both in one, stably.
  public static func softmaxCrossEntropy(reduction: Reduction = .mean) -> Loss {
    Loss(kind: .softmaxCrossEntropy(reduction))
  }

  /// The squared difference of the model's output from a target of the same shape.
  public static func meanSquaredError(reduction: Reduction = .mean) -> Loss {
    Loss(kind: .meanSquaredError(reduction))
  }
}
