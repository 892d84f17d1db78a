/// Each example as one row: [N, ...] to [N, C].
public struct Flatten: Layer {
  private let name: String?

  /// - Parameter name: nil: from kind and order.
  public init(name: String? = nil) { self.name = name }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "flatten") { () throws(TesseraError) in
      let shape = builder.graph.shape(of: x)
      try OperandCheck.attribute(
        shape.rank >= 1, "a batch dimension", found: "\(shape)", at: builder.name())
      let size = Shape(Array(shape.dimensions.dropFirst()))
      return try builder.apply(ReshapeOperation(shape: [shape[0], size.count]), [x])
    }
  }
}

/// Each example under another shape of as many elements: [N, ...] to [N] + shape.
public struct Reshape: Layer {
  private let shape: Shape
  private let name: String?

  /// - Parameter shape: of one example, without the batch.
  public init(_ shape: Shape, name: String? = nil) {
    self.shape = shape
    self.name = name
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "reshape") { () throws(TesseraError) in
      let batch = builder.graph.shape(of: x).dimensions.first ?? 1
      return try builder.apply(
        ReshapeOperation(shape: Shape([batch] + shape.dimensions)), [x])
    }
  }
}

/// The boundary to hosts that keep channels first: [N, C, H, W] to [N, H, W, C].
public struct FromNCHW: Layer {
  private let name: String?
  /// The shape of one example, if the layer was told.
  public let inputShape: Shape?

  /// - Parameter inputShape: [C, H, W], for a model's first layer.
  public init(inputShape: Shape? = nil, name: String? = nil) {
    self.inputShape = inputShape
    self.name = name
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "from_nchw") { () throws(TesseraError) in
      try builder.apply(Transpose.fromNCHW, [x])
    }
  }
}

/// The boundary to hosts that want channels first: [N, H, W, C] to [N, C, H, W].
public struct ToNCHW: Layer {
  private let name: String?

  /// - Parameter name: nil: from kind and order.
  public init(name: String? = nil) { self.name = name }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "to_nchw") { () throws(TesseraError) in
      try builder.apply(Transpose.toNCHW, [x])
    }
  }
}
