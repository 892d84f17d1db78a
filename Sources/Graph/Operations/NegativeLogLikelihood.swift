/// The loss of rows of log probabilities, each with the class that is right.
///
/// loss[i] = -weight[label[i]] x[i, label[i]], 0 where the label is `ignoredLabel`; with a reduction their sum, or that
/// divided by the sum of the weights of the rows that count.
///
/// - x: [rows, classes]; labels: [rows], int32 or int64 (one outside of 0..<classes that isn't ignored is an error of
///   the run); weight: [classes], may be left out: all 1; loss: [rows], or with a reduction scalar.
/// - Gradient: of x (``NegativeLogLikelihoodGradient``); none of the weights.
public struct NegativeLogLikelihood: Operation, Hashable {
  /// How terms become one number; nil: they don't.
  public let reduction: Reduction?
  /// The label of rows that don't count.
  public let ignoredLabel: Int?

  /// A loss, with labels that don't count or without.
  public init(reduction: Reduction?, ignoredLabel: Int? = nil) {
    (self.reduction, self.ignoredLabel) = (reduction, ignoredLabel)
  }

  public var name: String { "negative_log_likelihood" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 2...3, at: location)
    let x = inputs[0]
    try OperandCheck.floatingPoint([x], at: location)
    try OperandCheck.rank(x, 2, "log probabilities [rows, classes]", at: location)
    let labels: ElementType = inputs[1].element == .int64 ? .int64 : .int32
    try OperandCheck.equal(inputs[1], TensorType([x.shape[0]], labels), "labels", at: location)
    if inputs.count == 3 {
      try OperandCheck.equal(inputs[2], TensorType([x.shape[1]], x.element), "weights", at: location)
    }
    return [TensorType(reduction == nil ? [x.shape[0]] : .scalar, x.element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    let inputs = context.node.inputs
    let dx = try graph.add(
      NegativeLogLikelihoodGradient(
        reduction: reduction, ignoredLabel: ignoredLabel, classes: graph.shape(of: inputs[0])[1]),
      [try context.firstOutputGradient()] + inputs.dropFirst(), name: context.name("dx"))
    return dx + inputs.dropFirst().map { _ in nil }
  }
}

/// dx of ``NegativeLogLikelihood``: -dloss weight[label[i]] at [i, label[i]], divided as the loss was; 0 elsewhere.
///
/// - Operands dloss: as the loss; labels: [rows]; weight: [classes], may be left out. Result [rows, classes].
public struct NegativeLogLikelihoodGradient: Operation, Hashable {
  /// How terms become one number; nil: they don't.
  public let reduction: Reduction?
  /// The label of rows that don't count.
  public let ignoredLabel: Int?
  /// How many there are.
  public let classes: Int

  /// A gradient, with labels that don't count or without.
  public init(reduction: Reduction?, ignoredLabel: Int?, classes: Int) {
    (self.reduction, self.ignoredLabel, self.classes) = (reduction, ignoredLabel, classes)
  }

  public var name: String { "negative_log_likelihood_gradient" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 2...3, at: location)
    try OperandCheck.rank(inputs[1], 1, "labels [rows]", at: location)
    let x = TensorType([inputs[1].shape[0], classes], inputs[0].element)
    try x.shape.validate(at: location)
    let loss = try NegativeLogLikelihood(reduction: reduction).outputTypes([x] + inputs.dropFirst(), at: location)
    try OperandCheck.equal(inputs[0], loss[0], "dloss", at: location)
    return [x]
  }
}
