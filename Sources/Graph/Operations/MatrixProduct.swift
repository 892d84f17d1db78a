/// c = f(a b + bias), with either operand transposed.
///
/// c[m,n] = f(bias[n] + sum over k of a[m,k] b[k,n])
///
/// - a: [M, K], transposed [K, M]; b: [K, N], transposed [N, K]; bias: [N], may be left out; c: [M, N].
/// - Gradients: products of dc with the other operand, transposed so that they fit.
public struct MatrixProduct: Operation, Hashable {
  /// Whether a is given as [K, M].
  public let transposeA: Bool
  /// Whether b is given as [N, K].
  public let transposeB: Bool
  /// Applied to each element of the result.
  public let activation: ActivationFunction

  /// Attributes are checked when a graph gets the operation.
  public init(
    transposeA: Bool = false, transposeB: Bool = false, activation: ActivationFunction = .identity
  ) {
    (self.transposeA, self.transposeB, self.activation) = (transposeA, transposeB, activation)
  }

  public var name: String { "matrix_product" }

  public func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError)
    -> [TensorType]
  {
    try OperandCheck.count(inputs, 2...3, at: location)
    try OperandCheck.floatingPoint(inputs, at: location)
    try activation.validate(at: location)
    let (a, b) = (inputs[0], inputs[1])
    try OperandCheck.rank(a, 2, "a matrix", at: location)
    try OperandCheck.rank(b, 2, "a matrix", at: location)
    let (m, k) = transposeA ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
    let (inner, n) = transposeB ? (b.shape[1], b.shape[0]) : (b.shape[0], b.shape[1])
    guard k == inner else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "\(k) rows in the second factor",
        found: "\(inner) (\(a.shape) times \(b.shape))")
    }
    if inputs.count == 3 {
      try OperandCheck.equal(inputs[2], TensorType([n], a.element), "bias", at: location)
    }
    return [TensorType([m, n], a.element)]
  }

  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    let (a, b) = (context.node.inputs[0], context.node.inputs[1])
    let dz = try activation.gradient(context, in: &graph)
    var gradients: [Value?] = [nil, nil]
    if context.isNeeded(0) {
      // da = dz b^T, or (dz b^T)^T = b dz^T
      gradients[0] =
        transposeA
        ? try graph.apply(
          MatrixProduct(transposeA: transposeB, transposeB: true), b, dz, name: context.name("da"))
        : try graph.apply(
          MatrixProduct(transposeB: !transposeB), dz, b, name: context.name("da"))
    }
    if context.isNeeded(1) {
      // db = a^T dz, or (a^T dz)^T = dz^T a
      gradients[1] =
        transposeB
        ? try graph.apply(
          MatrixProduct(transposeA: true, transposeB: transposeA), dz, a, name: context.name("db"))
        : try graph.apply(
          MatrixProduct(transposeA: !transposeA), a, dz, name: context.name("db"))
    }
    if context.node.inputs.count == 3 {
      gradients.append(
        context.isNeeded(2) ? try graph.apply(ChannelSum(), dz, name: context.name("dbias")) : nil)
    }
    return gradients
  }

  public func flops(_ inputs: [TensorType]) -> Double {
    guard let output = try? outputTypes(inputs, at: name).first else { return 0 }
    let k = transposeA ? inputs[0].shape[0] : inputs[0].shape[1]
    return 2 * Double(output.shape.count) * Double(k)
  }
}
