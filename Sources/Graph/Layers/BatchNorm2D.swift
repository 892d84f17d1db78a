/// Normalizes each channel, then scales and shifts it. Conventions are those of `torch.nn.BatchNorm2d`.
///
/// Training uses the batch's mean and biased variance, and moves the running ones towards them (the variance unbiased),
/// in graph order, once a step. Inference and frozen layers use the running ones.
///
/// - Input and output [N, H, W, C], or any shape with the channels last.
/// - Parameters `weight` and `bias` [C]; statistics `running_mean` and `running_var` [C].
public struct BatchNorm2D: Layer {
  private let epsilon: Double
  private let momentum: Double
  private let isFrozen: Bool
  private let isTrainable: Bool
  private let group: String
  private let name: String?

  /// - Parameters:
  ///   - momentum: the weight of the new value in the running statistics.
  ///   - frozen: keeps the running statistics while training and normalizes by them.
  ///   - trainable: whether scale and shift learn.
  public init(
    epsilon: Double = 1e-5, momentum: Double = 0.1, frozen: Bool = false, trainable: Bool = true,
    group: String = Variable.defaultGroup, name: String? = nil
  ) {
    self.epsilon = epsilon
    self.momentum = momentum
    isFrozen = frozen
    isTrainable = trainable
    self.group = group
    self.name = name
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "batch_norm2d") { () throws(TesseraError) in
      let shape = builder.graph.shape(of: x)
      guard let channels = shape.dimensions.last else {
        throw TesseraError(
          .shapeMismatch, at: builder.name(), expected: "a rank of 1 or more", found: "\(shape)")
      }
      try OperandCheck.attribute(
        momentum >= 0 && momentum <= 1, "a momentum in 0...1", found: "\(momentum)", at: builder.name())
      let scale = try builder.parameter(
        "weight", shape: [channels], initializer: .constant(1), isTrainable: isTrainable,
        group: group)
      let shift = try builder.parameter(
        "bias", shape: [channels], initializer: .zeros, isTrainable: isTrainable, group: group)
      let mean = try builder.statistic("running_mean", shape: [channels], initializer: .zeros)
      let variance = try builder.statistic(
        "running_var", shape: [channels], initializer: .constant(1))
      guard builder.mode == .training, !isFrozen else {
        return try builder.apply(
          Normalize(epsilon: epsilon), [x, mean, variance, scale, shift])
      }
      let results = try builder.add(BatchNormalization(epsilon: epsilon), [x, scale, shift])
      let rows = Double(channels == 0 ? 0 : shape.count / channels)
      try update(mean, with: results[1], factor: 1, in: builder)
      try update(variance, with: results[2], factor: rows / (rows - 1), in: builder)
      return results[0]
    }
  }

  /// A layer that is applied twice moves its statistics twice, in the order of the graph.
  private func update(
    _ statistic: Value, with batchValue: Value, factor: Double, in builder: ModelBuilder
  ) throws(TesseraError) {
    let old = builder.graph.latestValue(ofVariable: statistic)
    let new = try builder.graph.apply(
      MovingAverage(momentum: momentum, factor: factor), old, batchValue,
      name: builder.graph.name(of: statistic) + ".update")
    try builder.graph.addUpdate(of: statistic, to: new)
  }
}
