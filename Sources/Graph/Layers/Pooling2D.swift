/// The largest element of each window; padding never wins.
///
/// - Input [N, H, W, C], output [N, P, Q, C].
public struct MaxPool2D: Layer {
  private let window: Window2D
  private let name: String?

  /// - Parameters:
  ///   - stride: nil: the window's size.
  ///   - padding: at most half the window on each side.
  public init(
    _ size: Size2D, stride: Size2D? = nil, dilation: Size2D = 1, padding: Padding2D = .none,
    name: String? = nil
  ) {
    window = Window2D(kernel: size, stride: stride ?? size, dilation: dilation, padding: padding)
    self.name = name
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "max_pool2d") { () throws(TesseraError) in
      let window = try window.resolve(imagesOf: x, in: builder)
      return try builder.apply(MaxPool2DOperation(window: window), [x])
    }
  }
}

/// The mean of each window.
///
/// - Input [N, H, W, C], output [N, P, Q, C].
public struct AveragePool2D: Layer {
  private let window: Window2D
  private let countsPadding: Bool
  private let name: String?

  /// - Parameters:
  ///   - stride: nil: the window's size.
  ///   - padding: at most half the window on each side.
  ///   - countsPadding: whether zeros of the padding count in the mean, as PyTorch's default has it; Keras leaves them
  ///     out.
  public init(
    _ size: Size2D, stride: Size2D? = nil, padding: Padding2D = .none, countsPadding: Bool = true,
    name: String? = nil
  ) {
    window = Window2D(kernel: size, stride: stride ?? size, padding: padding)
    self.countsPadding = countsPadding
    self.name = name
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "average_pool2d") { () throws(TesseraError) in
      let window = try window.resolve(imagesOf: x, in: builder)
      return try builder.apply(
        AveragePool2DOperation(window: window, countsPadding: countsPadding), [x])
    }
  }
}

/// The mean of each channel over the whole image: [N, H, W, C] to [N, C].
public struct GlobalAveragePool2D: Layer {
  private let name: String?

  /// - Parameter name: nil: from kind and order.
  public init(name: String? = nil) { self.name = name }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "global_average_pool2d") { () throws(TesseraError) in
      let window = try Window2D.wholeImage(x, in: builder)
      let mean = try builder.apply(
        AveragePool2DOperation(window: window, countsPadding: false), [x])
      return try builder.dropImageAxes(mean)
    }
  }
}

/// The mean of each cell of a grid that divides the image evenly: [N, H, W, C] to [N, size.y, size.x, C]. An image of that
/// size stays as it is. PyTorch's `AdaptiveAvgPool2d` does the same, and lets cells overlap where they don't divide the
/// image.
public struct AdaptiveAveragePool2D: Layer {
  private let size: Size2D
  private let name: String?

  /// - Parameter size: rows and columns of the result; they divide those of the image, or building throws
  ///   ``TesseraError/Code/unsupported``.
  public init(_ size: Size2D, name: String? = nil) {
    self.size = size
    self.name = name
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "adaptive_average_pool2d") { () throws(TesseraError) in
      let type = builder.graph.type(of: x)
      try OperandCheck.rank(type, 4, "images [N, H, W, C]", at: builder.name())
      let (height, width) = (type.shape[1], type.shape[2])
      try OperandCheck.attribute(
        size.y >= 1 && size.x >= 1, "a size of 1 or more", found: "\(size)", at: builder.name())
      guard height > 0, width > 0, height % size.y == 0, width % size.x == 0 else {
        throw TesseraError(
          .unsupported, at: builder.name(), expected: "an image that a grid of \(size) divides",
          found: "\(type.shape)")
      }
      let cell = Size2D(y: height / size.y, x: width / size.x)
      guard cell != 1 else { return x }
      return try builder.apply(
        AveragePool2DOperation(
          window: ResolvedWindow2D(kernel: cell, stride: cell), countsPadding: false), [x])
    }
  }
}

/// The largest element of each channel over the whole image: [N, H, W, C] to [N, C].
public struct GlobalMaxPool2D: Layer {
  private let name: String?

  /// - Parameter name: nil: from kind and order.
  public init(name: String? = nil) { self.name = name }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "global_max_pool2d") { () throws(TesseraError) in
      let window = try Window2D.wholeImage(x, in: builder)
      let maximum = try builder.apply(MaxPool2DOperation(window: window), [x])
      return try builder.dropImageAxes(maximum)
    }
  }
}

extension Window2D {
  fileprivate func resolve(imagesOf x: Value, in builder: ModelBuilder) throws(TesseraError)
    -> ResolvedWindow2D
  {
    let type = builder.graph.type(of: x)
    try OperandCheck.rank(type, 4, "images [N, H, W, C]", at: builder.name())
    return try resolve(height: type.shape[1], width: type.shape[2], at: builder.name())
  }

  fileprivate static func wholeImage(_ x: Value, in builder: ModelBuilder) throws(TesseraError)
    -> ResolvedWindow2D
  {
    let type = builder.graph.type(of: x)
    try OperandCheck.rank(type, 4, "images [N, H, W, C]", at: builder.name())
    return ResolvedWindow2D(kernel: Size2D(y: type.shape[1], x: type.shape[2]))
  }
}

extension ModelBuilder {
  /// [N, 1, 1, C] to [N, C].
  fileprivate func dropImageAxes(_ x: Value) throws(TesseraError) -> Value {
    let shape = graph.shape(of: x)
    return try apply(
      ReshapeOperation(shape: [shape[0], shape[3]]), [x], name: "flatten")
  }
}
