/// Drops elements with probability p while training and scales the others by 1 / (1 - p); does nothing in inference.
///
/// The mask depends on the store's seed, the step, the layer's full name and the element only.
public struct Dropout: Layer {
  private let probability: Double
  private let name: String?

  /// - Parameter probability: in 0..<1.
  public init(_ probability: Double, name: String? = nil) {
    self.probability = probability
    self.name = name
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    try builder.scope(name, kind: "dropout") { () throws(TesseraError) in
      // Checked in either mode: a model that can't be trained shouldn't compile for inference.
      try OperandCheck.attribute(
        probability >= 0 && probability < 1, "a probability in 0..<1", found: "\(probability)",
        at: builder.name())
      guard builder.mode == .training, probability > 0 else { return x }
      let operation = DropoutOperation(
        probability: probability, stream: StableHash.fnv1a(builder.name()))
      return try builder.apply(operation, [x, builder.seed(), builder.step()])
    }
  }
}
