// Layers that normalize each sample by itself, so that they are the same in training and inference.

/// Normalizes groups of channels of each sample, then scales and shifts every channel. Conventions are those of
/// `torch.nn.GroupNorm`.
///
/// - Input and output [N, ..., C]. Parameters `weight` and `bias` [C].
public struct GroupNorm: Layer {
  private let groups: Int?
  private let epsilon: Double
  private let name: String?
  private let kind: String

  /// - Parameter groups: divides the number of channels.
  public init(groups: Int, epsilon: Double = 1e-5, name: String? = nil) {
    (self.groups, self.epsilon, self.name, kind) = (groups, epsilon, name, "group_norm")
  }

  fileprivate init(epsilon: Double, name: String?) {
    (groups, self.epsilon, self.name, kind) = (nil, epsilon, name, "instance_norm2d")
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: kind) { () throws(TesseraError) in
      let channels = Shape(Array(builder.graph.shape(of: x).dimensions.suffix(1)))
      let (scale, shift) = try builder.scaleAndShift(channels)
      let operation = GroupNormalization(groups: groups ?? max(1, channels.count), epsilon: epsilon)
      return try builder.add(operation, [x, scale, shift])[0]
    }
  }
}

/// Normalizes each channel of each sample, then scales and shifts it. Conventions are those of `torch.nn.InstanceNorm2d`
/// with `affine=True`.
///
/// - Input and output [N, H, W, C]. Parameters `weight` and `bias` [C].
public struct InstanceNorm2D: Layer {
  private let layer: GroupNorm

  /// - Parameter epsilon: added to the variance.
  public init(epsilon: Double = 1e-5, name: String? = nil) { layer = GroupNorm(epsilon: epsilon, name: name) }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try layer.build(x, in: builder)
  }
}

/// Normalizes the channels of each pixel or row, then scales and shifts them. Conventions are those of
/// `torch.nn.LayerNorm` over the last dimension.
///
/// - Input and output [..., C]. Parameters `weight` and `bias` [C].
public struct LayerNorm: Layer {
  private let epsilon: Double
  private let name: String?

  /// - Parameter epsilon: added to the variance.
  public init(epsilon: Double = 1e-5, name: String? = nil) { (self.epsilon, self.name) = (epsilon, name) }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "layer_norm") { () throws(TesseraError) in
      let shape = builder.graph.shape(of: x)
      let (scale, shift) = try builder.scaleAndShift(Shape(Array(shape.dimensions.suffix(1))))
      return try builder.add(LayerNormalization(axis: shape.rank - 1, epsilon: epsilon), [x, scale, shift])[0]
    }
  }
}

/// Divides each element by a power of what its neighbouring channels amount to. Conventions are those of
/// ONNX, and for windows of odd size those of `torch.nn.LocalResponseNorm`.
///
/// - Input and output [..., C]. No parameters.
public struct LocalResponseNorm: Layer {
  private let operation: LocalResponseNormalization
  private let name: String?

  /// - Parameters:
  ///   - size: channels that count. Of an even number one more lies behind the element than before it, as in ONNX; in
  ///     PyTorch it's the other way.
  ///   - bias: PyTorch's `k`.
  public init(size: Int, alpha: Double = 1e-4, beta: Double = 0.75, bias: Double = 1, name: String? = nil) {
    operation = LocalResponseNormalization(size: size, alpha: alpha, beta: beta, bias: bias)
    self.name = name
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "local_response_norm") { () throws(TesseraError) in
      try builder.add(operation, [x])[0]
    }
  }
}

extension ModelBuilder {
  /// The parameters `weight`, of ones, and `bias`, of zeros.
  fileprivate func scaleAndShift(_ shape: Shape) throws(TesseraError) -> (scale: Value, shift: Value) {
    (
      try parameter("weight", shape: shape, initializer: .constant(1)),
      try parameter("bias", shape: shape, initializer: .zeros)
    )
  }
}
