/// A part of a model: a function of one tensor with parameters of its own, which builds itself into a graph.
///
/// Layers are descriptions and don't fail when they are made; ``build(_:in:)`` reports what doesn't fit.
public protocol Layer: Sendable {
  /// Appends the layer's nodes and returns its result.
  func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value

  /// The shape of one example, without the batch, if the layer was told: [H, W, C] for images.
  var inputShape: Shape? { get }
}

extension Layer {
  /// The shape of one example, if the layer was told.
  public var inputShape: Shape? { nil }

  /// The model as a graph with the input "input" ([batch] + inputShape) and the output "output".
  /// - Parameters:
  ///   - inputShape: of one example; nil: the model's own.
  ///   - element: float32, or float64 for the reference.
  public func graph(
    batch: Int, mode: ModelMode = .inference, inputShape: Shape? = nil,
    element: ElementType = .float32
  ) throws(TesseraError) -> Graph {
    let builder = ModelBuilder(mode: mode, element: element)
    let input = try builder.input(of: self, inputShape: inputShape, batch: batch)
    let output = try build(input, in: builder)
    try builder.graph.addOutput("output", output)
    return builder.graph
  }
}

/// Layers one after the other.
public struct Sequential: Layer {
  /// In the order in which they are applied.
  public let layers: [any Layer]
  /// The level of names that the layers belong to; nil: the enclosing one.
  public let name: String?
  private let givenInputShape: Shape?

  /// The first layer's input shape, if none is given.
  public var inputShape: Shape? { givenInputShape ?? layers.first?.inputShape }

  /// - Parameter name: a level of names of its own; nil: the layers belong to the enclosing one.
  public init(_ layers: [any Layer], inputShape: Shape? = nil, name: String? = nil) {
    self.layers = layers
    self.name = name
    givenInputShape = inputShape
  }

  /// Layers one a line.
  public init(
    inputShape: Shape? = nil, name: String? = nil, @LayerListBuilder _ layers: () -> [any Layer]
  ) {
    self.init(layers(), inputShape: inputShape, name: name)
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    // Without a name the layers belong to the enclosing level.
    guard let name else { return try buildLayers(x, in: builder) }
    return try builder.scope(name, kind: "sequential") { () throws(TesseraError) in
      try buildLayers(x, in: builder)
    }
  }

  private func buildLayers(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    var x = x
    for layer in layers { x = try layer.build(x, in: builder) }
    return x
  }
}

/// Collects layers written one a line; `if` and `for` work as in any builder.
@resultBuilder
public enum LayerListBuilder {
  /// A layer on a line of its own.
  public static func buildExpression(_ layer: any Layer) -> [any Layer] { [layer] }
  /// The lines of a block, in order.
  public static func buildBlock(_ parts: [any Layer]...) -> [any Layer] { parts.flatMap { $0 } }
  /// `if` without `else`.
  public static func buildOptional(_ part: [any Layer]?) -> [any Layer] { part ?? [] }
  /// `if` and the first case of `switch`.
  public static func buildEither(first part: [any Layer]) -> [any Layer] { part }
  /// `else` and the other cases.
  public static func buildEither(second part: [any Layer]) -> [any Layer] { part }
  /// `for`.
  public static func buildArray(_ parts: [[any Layer]]) -> [any Layer] { parts.flatMap { $0 } }
}

/// f(s(x) + b(x)): a residual branch b beside a shortcut s, which is x itself where no layers are given for it. Both give
/// one shape.
///
/// Source: He et al., "Deep residual learning for image recognition" (2016).
public struct Residual: Layer {
  private let branch: Sequential
  private let shortcut: Sequential
  private let activation: LayerActivation
  private let name: String?

  /// - Parameters:
  ///   - activation: of the sum.
  ///   - branch: one layer a line.
  ///   - shortcut: likewise.
  public init(
    activation: LayerActivation = .linear, name: String? = nil, @LayerListBuilder _ branch: () -> [any Layer],
    @LayerListBuilder shortcut: () -> [any Layer] = { [] }
  ) {
    self.branch = Sequential(branch())
    self.shortcut = Sequential(shortcut())
    self.activation = activation
    self.name = name
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "residual") { () throws(TesseraError) in
      let y = try branch.build(x, in: builder)
      let sum = try builder.apply(Add(), [shortcut.build(x, in: builder), y])
      return try activation.build(sum, in: builder)
    }
  }
}

/// A layer that is applied at several places with one set of parameters, whose gradients are summed. Every ``Shared``
/// of one name must hold the same layer.
public struct Shared: Layer {
  private let name: String
  private let layer: any Layer

  /// - Parameters:
  ///   - name: of the parameters, the same at every place of use.
  ///   - layer: what is applied.
  public init(_ name: String, _ layer: any Layer) {
    self.name = name
    self.layer = layer
  }

  /// The shape of one example, if the layer was told.
  public var inputShape: Shape? { layer.inputShape }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.sharing(name) { () throws(TesseraError) in try layer.build(x, in: builder) }
  }
}
