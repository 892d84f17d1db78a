import Tessera

/// Functions of elements and of pairs, reductions, selections and what is made of them.
extension Problems {
  static let functions: [Problem] =
    maps + mapsOfPositives + pairs + reductions + layerNormalizations + groupNormalizations + localResponses
    + selections + combinations + otherFunctions

  private static let maps: [Problem] =
    [
      .absolute, .exponential, .errorFunction, .elu(alpha: 0.6), .selu(alpha: 1.67, gamma: 1.05), .celu(alpha: 1.5),
      .hardSigmoid(), .hardSwish, .swish(rate: 1.2), .gelu, .geluTanh, .mish, .softplus, .softsign,
    ].map { (function: ElementFunction) in
      Problem(description: "\(function)", shapes: [[3, 7]], terms: 64, isMultilinear: false) { graph, x, _ in
        try graph.apply(MapElements(function), x[0], name: "map")
      }
    }

  private static let mapsOfPositives: [Problem] =
    [.squareRoot, .logarithm, .reciprocal].map { (function: ElementFunction) in
      Problem(description: "\(function)", shapes: [[3, 7]], terms: 64, isMultilinear: false) { graph, x, _ in
        let square = try graph.apply(Multiply(), x[0], x[0], name: "square")
        let positive = try graph.apply(Affine(factor: 1, offset: 1), square, name: "positive")
        return try graph.apply(MapElements(function), positive, name: "map")
      }
    }

  /// Shapes that NumPy would fit together.
  private static let pairs: [Problem] = [
    ([3, 5], [3, 5]), ([2, 3, 5], [5]), ([2, 3, 5], [3, 1]), ([5], [2, 3, 5]), ([2, 1, 5], [1, 3, 1]), ([4, 1], []),
  ].flatMap { (a: Shape, b: Shape) in
    [BinaryFunction.add, .subtract, .multiply, .divide, .power, .maximum, .minimum, .prelu].map { function in
      Problem(description: "\(function) \(a) \(b)", shapes: [a, b], terms: 64, isMultilinear: false) { graph, x, _ in
        var operands = x
        if function == .divide { operands[1] = try awayFromZero(x[1], in: &graph) }
        if function == .power { operands[0] = try awayFromZero(x[0], in: &graph) }
        return try graph.apply(Elementwise(function), operands[0], operands[1], name: "pairs")
      }
    }
  }

  private static func awayFromZero(_ x: Value, in graph: inout Graph) throws -> Value {
    let square = try graph.apply(Multiply(), x, x, name: "square")
    return try graph.apply(Affine(factor: 0.2, offset: 0.7), square, name: "positive")
  }

  private static let reductions: [Problem] = [
    ([3, 4, 5], [0]), ([3, 4, 5], [1]), ([3, 4, 5], [2]), ([3, 4, 5], [0, 2]), ([2, 3, 4, 33], [1, 2]), ([67], [0]),
    ([3, 4], [0, 1]),
  ].flatMap { (shape: Shape, axes: [Int]) in
    [ReductionFunction.sum, .maximum, .minimum].map { function in
      Problem(description: "reduce \(function) \(shape) \(axes)", shapes: [shape], terms: 128, isMultilinear: false) {
        graph, x, _ in try graph.apply(Reduce(function, axes: axes), x[0], name: "reduce")
      }
    } + [
      Problem(description: "log softmax \(shape) \(axes)", shapes: [shape], terms: 128, isMultilinear: false) {
        graph, x, _ in try graph.apply(LogSoftmax(axis: axes[0]), x[0], name: "log_softmax")
      }
    ]
  }

  /// Rows of a few elements, of some vectors and a rest.
  private static let layerNormalizations: [Problem] = [
    ([5, 3], 1), ([2, 3, 4], 1), ([3, 2, 131], 2), ([70, 33], 1), ([2, 65], 0),
  ].map { (shape: Shape, axis: Int) -> Problem in
    let row = Shape(Array(shape.dimensions[axis...]))
    return Problem(
      description: "layer normalization \(shape) from \(axis)", shapes: [shape, row, row], terms: 128,
      isMultilinear: false
    ) { graph, x, _ in try graph.add(LayerNormalization(axis: axis, epsilon: 1e-2), x, name: "layer_norm")[0] }
  }

  /// Groups of one channel, of some, of all.
  private static let groupNormalizations: [Problem] = [
    ([2, 3, 4, 6], 1), ([3, 5, 12], 3), ([2, 5, 5, 34], 2), ([2, 7, 19], 19), ([2, 300, 68], 4), ([3, 4], 2),
  ].map { (shape: Shape, groups: Int) -> Problem in
    let channels = Shape(Array(shape.dimensions.suffix(1)))
    return Problem(
      description: "group normalization \(shape) in \(groups)", shapes: [shape, channels, channels], terms: 128,
      isMultilinear: false
    ) { graph, x, _ in try graph.add(GroupNormalization(groups: groups, epsilon: 1e-2), x, name: "group_norm")[0] }
  }

  /// Windows of one channel, of some, and wider than the row.
  private static let localResponses: [Problem] = [
    (5, 0.75, 37), (2, 0.5, 3), (1, 1.25, 16), (40, 0.75, 17), (6, -0.5, 33),
  ].map { (size: Int, beta: Double, channels: Int) -> Problem in
    Problem(
      description: "local response normalization \(channels) by \(size), \(beta)", shapes: [[2, 3, channels]],
      terms: 128, isMultilinear: false
    ) { graph, x, _ in
      let operation = LocalResponseNormalization(size: size, alpha: 0.4, beta: beta, bias: 1.5)
      return try graph.apply(operation, x[0], name: "local_response_norm")
    }
  }

  private static let selections: [Problem] = [
    ([3, 5], [.all, .strided(first: 1, step: 1, count: 3)]), ([3, 5], [.strided(first: 2, step: -1, count: 3), .all]),
    ([4, 1, 3], [.indices([0, 3, -1, 0]), .repeated(5), .all]),
    ([2, 6], [.all, .strided(first: 0, step: 2, count: 3)]),
    ([2, 3, 2], [.all, .indices([2, 2, 1, -1]), .indices([-1, 0, 1])]),
    ([3, 4], [.strided(first: 1, step: 1, count: 2), .all]),
    ([1, 3], [.repeated(4), .all]),
  ].map { (shape: Shape, axes: [AxisSelection]) in
    Problem(description: "select \(axes) of \(shape)", shapes: [shape], terms: 16, isMultilinear: true) { graph, x, _ in
      try graph.apply(Select(axes), x[0], name: "select")
    }
  }

  private static let combinations: [Problem] =
    [([5, 3], 0), ([2, 5, 4], 1), ([2, 5, 19], 1), ([3, 5], 1)].map {
      (shape: Shape, axis: Int) in
      Problem(description: "combination of \(shape) along \(axis)", shapes: [shape], terms: 8, isMultilinear: false) {
        graph, x, _ in
        let terms: [[(index: Int, weight: Double)]] = [
          [(index: 0, weight: 0.5), (index: 1, weight: 0.25)], [], [(index: 4, weight: -1.5)], [(index: 1, weight: 2)],
        ]
        return try graph.apply(AxisCombination(axis: axis, size: 5, terms: terms), x[0], name: "combination")
      }
    }

  private static let otherFunctions: [Problem] = [
    Problem(
      description: "choice", shapes: [[3, 7], [3, 7]], terms: 16, isMultilinear: false
    ) { graph, x, _ in
      let isLess = try graph.apply(Compare(.less), x[0], x[1], name: "less")
      let product = try graph.apply(Multiply(), x[0], x[1], name: "product")
      return try graph.add(Choose(), [isLess, product, x[1]], name: "choose")[0]
    },
    Problem(
      description: "batched product", shapes: [[3, 4, 5], [3, 5, 21]], terms: 32, isMultilinear: true
    ) { graph, x, _ in try graph.add(BatchedMatrixProduct(), x, name: "product")[0] },
    gather([5, 3], axis: 0, [2, 3], [4, 0, -1, 4, 2, -5]), gather([2, 5, 19], axis: 1, [4], [1, 1, 3, -2]),
    gather([3, 5], axis: 1, [], [3]),
    likelihood(.mean, ignored: nil), likelihood(.sum, ignored: 2), likelihood(.mean, ignored: 1),
    likelihood(nil, ignored: nil),
  ]

  private static func gather(_ shape: Shape, axis: Int, _ indexShape: Shape, _ indices: [Int64]) -> Problem {
    Problem(
      description: "gather \(indexShape) of \(shape) along \(axis)", shapes: [shape],
      fixed: (try? [Tensor(indices, shape: indexShape)]) ?? [], terms: 8, isMultilinear: true
    ) { graph, x, fixed in try graph.apply(Gather(axis: axis), x[0], fixed[0], name: "gather") }
  }

  private static func likelihood(_ reduction: Reduction?, ignored: Int?) -> Problem {
    let labels: [Int32] = [0, 2, 1, 2, 0]
    return Problem(
      description: "negative log likelihood \(reduction.map(\.description) ?? "rows"), ignored \(ignored ?? -1)",
      shapes: [[5, 3]], fixed: (try? [Tensor(labels, shape: [5])]) ?? [], terms: 64, isMultilinear: false
    ) { graph, x, fixed in
      let logs = try graph.apply(LogSoftmax(axis: 1), x[0], name: "logs")
      let weights = try graph.addConstant([0.5, 1.5, 2], TensorType([3], graph.type(of: x[0]).element))
      return try graph.add(
        NegativeLogLikelihood(reduction: reduction, ignoredLabel: ignored), [logs, fixed[0], weights], name: "nll")[0]
    }
  }
}
