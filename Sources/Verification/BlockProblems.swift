import Tessera

/// Networks in which something follows a kernel that can take it in.
extension Problems {
  package static let blocks: [Problem] =
    [ActivationFunction.relu, .leakyRelu(slope: 0.2), .sigmoid, .tanh, .clip(lower: 0, upper: 0.5)].flatMap {
      function in
      [1, 5, 19].flatMap { channels in
        [Normalization.none, .batch, .frozen].map { block(function, channels: channels, $0) }
      }
    } + [1, 17].map(pooled) + [.relu, .tanh].map(dense)

  enum Normalization { case none, batch, frozen }

  /// A residual block behind an activation: f(x), then f(conv(f(conv(.))) + .).
  static func block(_ function: ActivationFunction, channels c: Int, _ normalization: Normalization) -> Problem {
    let window = ResolvedWindow2D(kernel: 3, stride: 1, top: 1, left: 1, bottom: 1, right: 1)
    return Problem(
      description: "residual block \(function) \(c) \(normalization)",
      shapes: [[2, 5, 7, c], [3, 3, c, c], [c], [3, 3, c, c]], terms: 64, isMultilinear: false
    ) { graph, operands, _ in
      func activate(_ x: Value) throws -> Value { try graph.apply(Activate(function: function), x, name: "f") }
      func normalize(_ x: Value) throws -> Value {
        let type = TensorType([c], graph.type(of: x).element)
        func constant(_ value: Double) throws -> Value {
          try graph.addConstant((0..<c).map { value + Double($0) / 64 }, type)
        }
        switch normalization {
        case .none: return x
        case .batch:
          return try graph.apply(BatchNormalization(epsilon: 1e-3), x, constant(1), constant(0.25), name: "norm")
        case .frozen:
          return try graph.apply(
            Normalize(epsilon: 1e-3), x, constant(0.125), constant(2), constant(1), constant(0.25), name: "norm")
        }
      }
      let convolution = Convolution2D(window: window)
      let x = try activate(operands[0])
      let inner = try activate(
        normalize(graph.apply(convolution, x, operands[1], operands[2], name: "conv1")))
      let outer = try normalize(graph.apply(convolution, inner, operands[3], name: "conv2"))
      return try activate(graph.apply(Add(), x, outer, name: "add"))
    }
  }

  /// A convolution, its activation and a pooling, whose gradient meets the activation's.
  static func pooled(channels c: Int) -> Problem {
    let window = ResolvedWindow2D(kernel: 3, stride: 1, top: 0, left: 0, bottom: 0, right: 0)
    let pool = ResolvedWindow2D(kernel: 2, stride: 2, top: 0, left: 0, bottom: 0, right: 0)
    return Problem(
      description: "pooled \(c)", shapes: [[2, 7, 9, 3], [3, 3, 3, c]], terms: 64, isMultilinear: false
    ) { graph, operands, _ in
      let z = try graph.apply(Convolution2D(window: window), operands[0], operands[1], name: "conv")
      let y = try graph.apply(Activate(function: .relu), z, name: "relu")
      return try graph.add(MaxPool2DOperation(window: pool), [y], name: "pool")[0]
    }
  }

  /// Two products with a way around the second.
  static func dense(_ function: ActivationFunction) -> Problem {
    Problem(
      description: "dense \(function)", shapes: [[5, 9], [9, 17], [17], [17, 17]], terms: 64, isMultilinear: false
    ) { graph, operands, _ in
      let first = try graph.apply(MatrixProduct(), operands[0], operands[1], operands[2], name: "first")
      let x = try graph.apply(Activate(function: function), first, name: "f")
      let second = try graph.apply(MatrixProduct(), x, operands[3], name: "second")
      return try graph.apply(
        Activate(function: function), graph.apply(Add(), second, x, name: "add"), name: "f")
    }
  }
}
