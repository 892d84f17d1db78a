/// Batch normalization in training: every channel to mean 0 and variance 1 over the batch, then scaled and shifted.
///
/// mean[c] = 1/M sum over i of x[i,c]; variance[c] = 1/M sum over i of (x[i,c] - mean[c])^2;
/// y[i,c] = (x[i,c] - mean[c]) / sqrt(variance[c] + epsilon) scale[c] + shift[c]
///
/// - x: [..., C] with M rows; scale, shift: [C]; results y like x, mean and biased variance [C].
/// - Gradients: through mean and variance (``BatchNormalizationGradient``). The statistics themselves have none.
/// - Throws: ``TesseraError`` for fewer than two rows, over which no variance can be estimated.
/// - Source: Ioffe and Szegedy (2015); conventions are PyTorch's.
public struct BatchNormalization: Operation, Hashable {
  /// Added to what is divided by; finite, 0 or more.
  public let epsilon: Double

  /// Attributes are checked when a graph gets the operation.
  public init(epsilon: Double) { self.epsilon = epsilon }

  public var name: String { "batch_norm" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 3...3, at: location)
    let channels = try NormalizationCheck.channels(inputs, epsilon, at: location)
    let rows = channels.shape.count == 0 ? 0 : inputs[0].shape.count / channels.shape.count
    guard rows >= 2 else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "at least 2 values a channel to train on",
        found: "\(rows) in \(inputs[0].shape)")
    }
    return [inputs[0], channels, channels]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let node = context.node
    let results = try graph.add(
      BatchNormalizationGradient(epsilon: epsilon, includesInput: context.isNeeded(0)),
      [
        context.firstOutputGradient(), node.inputs[0], node.outputs[1], node.outputs[2],
        node.inputs[1],
      ], name: context.name("gradient"))
    return context.isNeeded(0) ? results : [nil] + results
  }
}

/// Gradients of ``BatchNormalization``. With xhat = (x - mean) / sqrt(variance + epsilon):
/// dshift = sum dy; dscale = sum dy xhat; dx = scale / sqrt(variance + epsilon) (dy - dshift / M - xhat dscale / M).
///
/// - Operands dy, x: [..., C]; mean, variance, scale: [C]. Results dx, if `includesInput`, then dscale, dshift: dx needs
///   the other two.
public struct BatchNormalizationGradient: Operation, Hashable {
  /// Added to what is divided by; finite, 0 or more.
  public let epsilon: Double
  /// Whether dx is wanted.
  public let includesInput: Bool

  /// Attributes are checked when a graph gets the operation.
  public init(epsilon: Double, includesInput: Bool = true) {
    (self.epsilon, self.includesInput) = (epsilon, includesInput)
  }

  public var name: String { "batch_norm_gradient" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  { try NormalizationCheck.gradientTypes(inputs, epsilon, includesInput, at: location) }
}

/// Normalization by given statistics: inference, and training with frozen ones.
///
/// y[i,c] = (x[i,c] - mean[c]) / sqrt(variance[c] + epsilon) scale[c] + shift[c]
///
/// - x: [..., C]; mean, variance, scale, shift: [C]; y like x.
/// - Gradients: dx = dy scale / sqrt(variance + epsilon); dscale and dshift as in ``NormalizeGradient``; none for the
///   statistics.
public struct Normalize: Operation, Hashable {
  /// Added to what is divided by; finite, 0 or more.
  public let epsilon: Double

  /// Attributes are checked when a graph gets the operation.
  public init(epsilon: Double) { self.epsilon = epsilon }

  public var name: String { "normalize" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 5...5, at: location)
    _ = try NormalizationCheck.channels(inputs, epsilon, at: location)
    return [inputs[0]]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let inputs = context.node.inputs
    let dy = try context.firstOutputGradient()
    guard context.isNeeded(3) || context.isNeeded(4) else {
      // Frozen scale and shift cost nothing: dx is dy normalized around 0.
      let type = graph.type(of: inputs[2])
      let zero = try graph.addConstant(Array(repeating: 0, count: type.shape.count), type)
      let dx = try graph.apply(self, dy, zero, inputs[2], inputs[3], zero, name: context.name("dx"))
      return [dx, nil, nil, nil, nil]
    }
    let results = try graph.add(
      NormalizeGradient(epsilon: epsilon, includesInput: context.isNeeded(0)),
      [dy, inputs[0], inputs[1], inputs[2], inputs[3]], name: context.name("gradient"))
    let dx = context.isNeeded(0) ? results[0] : nil
    return [dx, nil, nil] + results.suffix(2)
  }
}

/// Gradients of ``Normalize``: dshift = sum dy; dscale = sum dy xhat; dx = dy scale / sqrt(variance + epsilon).
///
/// - Operands dy, x: [..., C]; mean, variance, scale: [C]. Results dx, if `includesInput`, then dscale, dshift.
public struct NormalizeGradient: Operation, Hashable {
  /// Added to what is divided by; finite, 0 or more.
  public let epsilon: Double
  /// Whether dx is wanted.
  public let includesInput: Bool

  /// Attributes are checked when a graph gets the operation.
  public init(epsilon: Double, includesInput: Bool = true) {
    (self.epsilon, self.includesInput) = (epsilon, includesInput)
  }

  public var name: String { "normalize_gradient" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  { try NormalizationCheck.gradientTypes(inputs, epsilon, includesInput, at: location) }
}

private enum NormalizationCheck {
  /// Checks x and the operands of one element a channel after it; returns the latter's type.
  static func channels(_ inputs: [TensorType], _ epsilon: Double, at location: String)
    throws(TesseraError) -> TensorType
  {
    try OperandCheck.floatingPoint(inputs, at: location)
    try OperandCheck.attribute(
      epsilon >= 0 && epsilon.isFinite, "a finite epsilon of 0 or more", found: "\(epsilon)",
      at: location)
    guard let channels = inputs[0].shape.dimensions.last else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "rank 1 or more", found: "\(inputs[0].shape)")
    }
    let type = TensorType([channels], inputs[0].element)
    for input in inputs.dropFirst() {
      try OperandCheck.equal(input, type, "one element a channel", at: location)
    }
    return type
  }

  static func gradientTypes(
    _ inputs: [TensorType], _ epsilon: Double, _ includesInput: Bool, at location: String
  ) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 5...5, at: location)
    try OperandCheck.equal(inputs[1], inputs[0], "x", at: location)
    let channels = try self.channels([inputs[0]] + inputs[2...], epsilon, at: location)
    return (includesInput ? [inputs[0]] : []) + [channels, channels]
  }
}
