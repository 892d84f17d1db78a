/// Tensors side by side along the last dimension.
///
/// y[..., offset(j) + c] = x_j[..., c], where offset(j) is the number of channels of the operands before x_j.
///
/// - x_j: [..., C_j], all alike but for the channels; y: [..., sum of C_j].
/// - Gradients: the parts of dy (``ChannelSlice``).
public struct ConcatenateOperation: Operation, Hashable {
  /// The operation has no attributes.
  public init() {}

  public var name: String { "concatenate" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    guard let first = inputs.first else {
      throw TesseraError(.shapeMismatch, at: location, expected: "1 operand or more", found: "none")
    }
    var channels = 0
    for (index, input) in inputs.enumerated() {
      let last = try ChannelSlice.channels(of: input, at: location)
      try OperandCheck.equal(input, first.replacingChannels(last), "operand \(index) as", at: location)
      let (sum, overflow) = channels.addingReportingOverflow(last)
      guard !overflow else {
        throw TesseraError(
          .invalidShape, at: location, expected: "at most \(Int.max) channels", found: "\(channels) and \(last) more")
      }
      channels = sum
    }
    return [first.replacingChannels(channels)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    let dy = try context.firstOutputGradient()
    var gradients: [Value?] = []
    var first = 0
    for (index, input) in context.node.inputs.enumerated() {
      let channels = graph.shape(of: input).dimensions.last ?? 0
      let slice = ChannelSlice(channels: first..<first + channels)
      gradients.append(context.isNeeded(index) ? try graph.apply(slice, dy, name: context.name("d\(index)")) : nil)
      first += channels
    }
    return gradients
  }
}

/// Consecutive channels of a tensor.
///
/// y[..., c] = x[..., channels.lowerBound + c]
///
/// - x: [..., C] of rank 1 or more; y: [..., channels.count].
/// - Gradient: dy between zeros.
public struct ChannelSlice: Operation, Hashable {
  /// Which channels of x, in 0..<C.
  public let channels: Range<Int>

  /// Attributes are checked when a graph gets the operation.
  public init(channels: Range<Int>) { self.channels = channels }

  public var name: String { "channel_slice" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 1...1, at: location)
    let count = try Self.channels(of: inputs[0], at: location)
    try OperandCheck.attribute(
      channels.lowerBound >= 0 && channels.upperBound <= count, "channels in 0..<\(count)", found: "\(channels)",
      at: location)
    return [inputs[0].replacingChannels(channels.count)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    let dy = try context.firstOutputGradient()
    let type = graph.type(of: context.node.inputs[0])
    let last = (type.shape.dimensions.last ?? 0) - channels.upperBound
    let zero = try graph.addConstant([0], TensorType(.scalar, type.element))
    var parts = [dy]
    if channels.lowerBound > 0 {
      let shape = type.replacingChannels(channels.lowerBound).shape
      parts.insert(try graph.apply(Broadcast(shape: shape), zero, name: context.name("before")), at: 0)
    }
    if last > 0 {
      let shape = type.replacingChannels(last).shape
      parts.append(try graph.apply(Broadcast(shape: shape), zero, name: context.name("after")))
    }
    return [try graph.add(ConcatenateOperation(), parts, name: context.name("dx"))[0]]
  }

  /// The size of the last dimension.
  fileprivate static func channels(of type: TensorType, at location: String) throws(TesseraError) -> Int {
    guard let channels = type.shape.dimensions.last else {
      throw TesseraError(.shapeMismatch, at: location, expected: "rank 1 or more", found: "\(type.shape)")
    }
    return channels
  }
}

extension TensorType {
  /// The same with another last dimension, for a rank of 1 or more.
  fileprivate func replacingChannels(_ count: Int) -> TensorType {
    TensorType(Shape(shape.dimensions.dropLast() + [count]), element)
  }
}
