/// Layers of which training keeps the first input and the result only: the backward pass computes again what it needs of
/// what is between. Results keep their bits; a step takes the time of these layers' forward pass longer.
///
/// Layers keep the names that they have without it, so that a store serves both.
///
/// - Source: Chen et al., "Training deep nets with sublinear memory cost" (2016).
public struct Checkpoint: Layer {
  private let layers: Sequential

  /// The shape of one example, if the first layer was told.
  public var inputShape: Shape? { layers.inputShape }

  /// Layers one after the other.
  public init(_ layers: [any Layer]) { self.layers = Sequential(layers) }

  /// Layers one a line.
  public init(@LayerListBuilder _ layers: () -> [any Layer]) { self.init(layers()) }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    let first = builder.graph.nodes.count
    let y = try layers.build(x, in: builder)
    if builder.mode == .training { try builder.graph.addCheckpoint(first..<builder.graph.nodes.count) }
    return y
  }
}
