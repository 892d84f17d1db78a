/// The sum over all but the last dimension: the gradient of a bias.
///
/// y[c] = sum over i of x[i,c]
///
/// - x: [..., C] of rank 1 or more; y: [C].
/// - Gradient: dy repeated over the other dimensions.
public struct ChannelSum: Operation, Hashable {
  /// The operation has no attributes.
  public init() {}

  public var name: String { "channel_sum" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 1...1, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    guard let channels = inputs[0].shape.dimensions.last else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "rank 1 or more", found: "\(inputs[0].shape)")
    }
    return [TensorType([channels], inputs[0].element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let shape = graph.shape(of: context.node.inputs[0])
    let channels = shape.dimensions.last ?? 1
    let dy = try context.firstOutputGradient()
    // As a product: a column of ones times dy as a row.
    let rows = channels == 0 ? 0 : shape.count / channels
    let element = graph.type(of: dy).element
    let one = try graph.addConstant([1], TensorType(.scalar, element))
    let ones = try graph.apply(
      Broadcast(shape: [rows, 1]), one, name: context.name("ones"))
    let row = try graph.apply(
      ReshapeOperation(shape: [1, channels]), dy, name: context.name("row"))
    let product = try graph.apply(MatrixProduct(), ones, row, name: context.name("repeat"))
    return [try graph.apply(ReshapeOperation(shape: shape), product, name: context.name("dx"))]
  }
}
