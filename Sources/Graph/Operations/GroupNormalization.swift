/// Groups of neighbouring channels of each sample to mean 0 and variance 1, then every channel scaled and shifted. With a
/// channel a group: instance normalization.
///
/// y[n,i,c] = (x[n,i,c] - mean[n,c]) / sqrt(variance[n,c] + epsilon) scale[c] + shift[c], mean and biased variance over
/// all i and the channels of c's group
///
/// - x: [N, ..., C], floating point, of at least one element a group; scale, shift: [C]; results y like x, mean and variance
///   [N, C].
/// - Gradients: through mean and variance (``GroupNormalizationGradient``). The statistics themselves have none.
/// - Source: Wu and He, "Group normalization" (2018); Ulyanov et al., "Instance normalization" (2016).
public struct GroupNormalization: Operation, Hashable {
  /// Divides the channels.
  public let groups: Int
  /// Added to what is divided by; finite, 0 or more.
  public let epsilon: Double

  /// Attributes are checked when a graph gets the operation.
  public init(groups: Int, epsilon: Double) { (self.groups, self.epsilon) = (groups, epsilon) }

  public var name: String { "group_norm" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 3...3, at: location)
    let (channels, statistics) = try types(inputs, at: location)
    for input in inputs[1...] { try OperandCheck.equal(input, channels, "one element a channel", at: location) }
    return [inputs[0], statistics, statistics]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    let node = context.node
    return try graph.add(
      GroupNormalizationGradient(self),
      [context.firstOutputGradient(), node.inputs[0], node.outputs[1], node.outputs[2], node.inputs[1]],
      name: context.name("gradient"))
  }

  /// The types of a number for each channel, and for each channel of each sample.
  fileprivate func types(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> (channels: TensorType, statistics: TensorType)
  {
    try OperandCheck.floatingPoint(inputs, at: location)
    try OperandCheck.attribute(
      epsilon >= 0 && epsilon.isFinite, "a finite epsilon of 0 or more", found: "\(epsilon)", at: location)
    let (shape, element) = (inputs[0].shape, inputs[0].element)
    guard shape.rank >= 2, let channels = shape.dimensions.last, !shape.dimensions[1...].contains(0) else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "[N, ..., C] with an element a sample", found: "\(shape)")
    }
    try OperandCheck.attribute(
      groups >= 1 && channels.isMultiple(of: groups), "groups that divide the \(channels) channels", found: "\(groups)",
      at: location)
    return (TensorType([channels], element), TensorType([shape[0], channels], element))
  }
}

/// Gradients of ``GroupNormalization``. With xhat the normalized x, g = dy scale and means over a group:
/// dx = (g - mean g - xhat mean(g xhat)) / sqrt(variance + epsilon); dscale = sum dy xhat, dshift = sum dy, a channel.
///
/// - Operands dy, x, mean, variance, scale. Results dx, dscale, dshift.
public struct GroupNormalizationGradient: Operation, Hashable {
  /// Whose gradients.
  public let forward: GroupNormalization

  /// Attributes are checked when a graph gets the operation.
  public init(_ forward: GroupNormalization) { self.forward = forward }

  public var name: String { "group_norm_gradient" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 5...5, at: location)
    let (channels, statistics) = try forward.types(inputs, at: location)
    try OperandCheck.equal(inputs[1], inputs[0], "x", at: location)
    for index in 2...3 { try OperandCheck.equal(inputs[index], statistics, "statistics", at: location) }
    try OperandCheck.equal(inputs[4], channels, "scale", at: location)
    return [inputs[0], channels, channels]
  }
}
