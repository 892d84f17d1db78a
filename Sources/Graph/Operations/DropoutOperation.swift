/// Inverted dropout: y = x / (1 - p) where the element is kept, 0 where it is dropped, with probability p.
///
/// The mask depends on seed, step, stream and element only (Philox4x32-10; Salmon et al., "Parallel random numbers: as
/// easy as 1, 2, 3", 2011), so the backward pass computes it again instead of keeping it.
///
/// - x, y: any shape; seed, step: int64 scalars. 0 <= p < 1.
/// - Gradient: the same operation on dy.
public struct DropoutOperation: Operation, Hashable {
  /// Of an element to be dropped, in 0..<1.
  public let probability: Double
  /// From the layer's full name: ``StableHash/fnv1a(_:)``.
  public let stream: UInt64

  /// Attributes are checked when a graph gets the operation.
  public init(probability: Double, stream: UInt64) {
    (self.probability, self.stream) = (probability, stream)
  }

  public var name: String { "dropout" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 3...3, at: location)
    try OperandCheck.floatingPoint([inputs[0]], at: location)
    try OperandCheck.attribute(
      probability >= 0 && probability < 1, "a probability in 0..<1", found: "\(probability)",
      at: location)
    try OperandCheck.equal(inputs[1], TensorType(.scalar, .int64), "seed", at: location)
    try OperandCheck.equal(inputs[2], TensorType(.scalar, .int64), "step", at: location)
    return [inputs[0]]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let inputs = context.node.inputs
    let dx = try graph.apply(
      self, context.firstOutputGradient(), inputs[1], inputs[2], name: context.name("dx"))
    return [dx, nil, nil]
  }
}

/// Hashes that are the same in every process and version.
public enum StableHash {
  /// FNV-1a, 64 bits, over UTF-8 (Fowler, Noll and Vo).
  public static func fnv1a(_ text: String) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return hash
  }
}
