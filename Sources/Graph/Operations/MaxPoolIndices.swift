/// Where maxima lay in an image in NCHW order, of the mask that ``MaxPool2DOperation`` gives.
///
/// y[n,p,q,c] = (n C + c) H W + h W + w, or with `countsColumns` + w H + h, for the element (h, w) of the image that
/// the mask points at
///
/// - mask: [N, P, Q, C], int32; y: the same shape, int64.
public struct MaxPoolIndices: Operation, Hashable {
  /// The window of the pooling.
  public let window: ResolvedWindow2D
  /// H, rows of the image.
  public let inputHeight: Int
  /// W, columns of the image.
  public let inputWidth: Int
  /// Whether pixels are counted column by column.
  public let countsColumns: Bool

  /// Attributes are those of the pooling.
  public init(window: ResolvedWindow2D, inputHeight: Int, inputWidth: Int, countsColumns: Bool = false) {
    (self.window, self.countsColumns) = (window, countsColumns)
    (self.inputHeight, self.inputWidth) = (inputHeight, inputWidth)
  }

  public var name: String { "max_pool_indices" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    try OperandCheck.count(inputs, 1...1, at: location)
    try OperandCheck.rank(inputs[0], 4, "mask [N, P, Q, C]", at: location)
    try window.validate(at: location)
    try OperandCheck.equal(inputs[0], TensorType(inputs[0].shape, .int32), "mask", at: location)
    return [TensorType(inputs[0].shape, .int64)]
  }
}
