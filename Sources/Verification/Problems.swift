import Tessera

/// The generated problems that every sweep runs over.
package enum Problems {
  /// How many of those that chance makes.
  package enum Extent: Sendable {
    /// A few seconds, where sanitizers make it ten times as many.
    case short
    case full
  }

  /// By what they are about.
  package static func groups(_ extent: Extent) -> [(name: String, problems: [Problem])] {
    [
      ("convolutions", convolutions(extent)), ("transposed convolutions", transposedConvolutions(extent)),
      ("fused activations", fused), ("residual blocks", blocks), ("matrix products", products), ("layers", others),
      ("pooling", pooling(extent)), ("functions", functions),
    ]
  }

  package static func all(_ extent: Extent) -> [Problem] { groups(extent).flatMap(\.problems) }

  package static func convolutions(_ extent: Extent) -> [Problem] {
    (0..<(extent == .short ? 12 : 90)).compactMap { convolution(seed: $0) }
  }

  /// A random convolution: odd sizes, one-wide images, strides beyond the window, dilation, padding of any side,
  /// groups.
  static func convolution(seed: Int) -> Problem? {
    var random = TestRandom(UInt64(1000 + seed))
    let kernel = Size2D(y: random.int(1...4), x: random.int(1...4))
    let window = Window2D(
      kernel: kernel, stride: Size2D(y: random.int(1...3), x: random.int(1...3)),
      dilation: seed % 3 == 0 ? Size2D(y: random.int(1...3), x: random.int(1...3)) : 1,
      padding: [
        .none, .half, .same, .full,
        .explicit(
          top: random.int(0...4), left: random.int(0...4), bottom: random.int(0...4),
          right: random.int(0...4)),
      ][seed % 5])
    let image = Size2D(y: random.int(1...11), x: random.int(1...13))
    let groups = [1, 1, 1, 2, 3][random.int(0...4)]
    let channels = groups * (seed % 7 == 0 ? random.int(20...33) : random.int(1...9))
    let filters = groups * (seed % 5 == 0 ? random.int(30...67) : random.int(1...18))
    return convolution(
      batch: random.int(1...5), image, channels, filters, window, groups: groups,
      hasBias: seed % 2 == 0)
  }

  /// Activations right after a convolution, its transpose or a product, which the compiler moves into them.
  package static let fused: [Problem] = [
    ActivationFunction.relu, .leakyRelu(slope: 0.2), .clip(lower: -0.5, upper: 1), .sigmoid, .tanh,
  ].flatMap { function -> [Problem] in
    let window = Window2D(kernel: Size2D(y: 3, x: 2), stride: Size2D(y: 1, x: 2), padding: .full)
    let transposed = ResolvedWindow2D(kernel: 3, stride: 2, top: 1, left: 0, bottom: 0, right: 1)
    let bases: [Problem?] = [
      convolution(batch: 2, Size2D(y: 5, x: 7), 3, 19, window, groups: 1, hasBias: true),
      transposedConvolution(
        batch: 2, Size2D(y: 6, x: 8), channels: 5, filters: 3, transposed, groups: 1),
      product(5, 17, 6, false, false),
    ]
    return bases.compactMap { $0 }.map { base in
      var problem = base
      problem.description = "\(function) of \(base.description)"
      problem.isMultilinear = false
      problem.build = { graph, operands, fixed in
        let z = try base.build(&graph, operands, fixed)
        return try graph.apply(Activate(function: function), z, name: "activation")
      }
      return problem
    }
  }

  static func convolution(
    batch: Int, _ image: Size2D, _ channels: Int, _ filters: Int, _ window: Window2D, groups: Int,
    hasBias: Bool
  ) -> Problem? {
    guard let resolved = try? window.resolve(height: image.y, width: image.x),
      let output = try? resolved.outputSize(height: image.y, width: image.x)
    else { return nil }
    let kernel = window.kernel
    var shapes: [Shape] = [
      [batch, image.y, image.x, channels], [kernel.y, kernel.x, channels / groups, filters],
    ]
    if hasBias { shapes.append([filters]) }
    return Problem(
      description:
        "conv \(batch)x\(image.y)x\(image.x)x\(channels)->\(filters) k\(kernel) g\(groups) \(resolved)",
      shapes: shapes,
      terms: max(
        kernel.y * kernel.x * channels / groups + 1, kernel.y * kernel.x * filters / groups,
        batch * output.y * output.x), isMultilinear: true
    ) { graph, operands, _ in
      try graph.add(
        Convolution2D(window: resolved, groups: groups, activation: .identity), operands,
        name: "conv")[0]
    }
  }

  static func transposedConvolutions(_ extent: Extent) -> [Problem] {
    (0..<(extent == .short ? 6 : 30)).compactMap { transposedConvolution(seed: $0) }
  }

  private static func transposedConvolution(seed: Int) -> Problem? {
    var random = TestRandom(UInt64(5000 + seed))
    let kernel = Size2D(y: random.int(1...4), x: random.int(1...4))
    let window = Window2D(
      kernel: kernel, stride: Size2D(y: random.int(1...3), x: random.int(1...3)),
      dilation: seed % 4 == 3 ? Size2D(y: random.int(1...3), x: 2) : 1,
      padding: [
        .none, .half, .same, .full,
        .explicit(
          top: random.int(0...3), left: random.int(0...3), bottom: random.int(0...3), right: random.int(0...3)),
      ][seed % 5])
    let image = Size2D(y: random.int(1...9), x: random.int(1...9))
    let groups = random.int(1...2)
    let (channels, filters) = (groups * random.int(1...9), groups * random.int(1...20))
    guard let resolved = try? window.resolve(height: image.y, width: image.x) else { return nil }
    return transposedConvolution(
      batch: random.int(1...3), image, channels: channels, filters: filters, resolved, groups: groups)
  }

  /// From the windows over an image of this size back to it.
  static func transposedConvolution(
    batch: Int, _ image: Size2D, channels: Int, filters: Int, _ resolved: ResolvedWindow2D, groups: Int
  ) -> Problem? {
    let kernel = resolved.kernel
    guard let output = try? resolved.outputSize(height: image.y, width: image.x) else { return nil }
    return Problem(
      description: "conv transposed \(image) c\(channels) k\(filters) \(resolved) g\(groups)",
      shapes: [
        [batch, output.y, output.x, filters], [kernel.y, kernel.x, channels / groups, filters],
        [channels],
      ],
      terms: max(kernel.y * kernel.x * max(filters, channels), batch * image.y * image.x) + 1,
      isMultilinear: true
    ) { graph, operands, _ in
      try graph.add(
        ConvolutionBackwardData(
          window: resolved, groups: groups, inputHeight: image.y, inputWidth: image.x,
          activation: .identity), operands, name: "conv_transpose")[0]
    }
  }

  static let products: [Problem] = [
    (1, 1, 1), (1, 67, 33), (5, 17, 64), (13, 31, 7), (64, 10, 100),
  ].flatMap { m, n, k in
    [(false, false), (true, false), (false, true), (true, true)].map { product(m, n, k, $0.0, $0.1) }
  }

  static func product(_ m: Int, _ n: Int, _ k: Int, _ transposeA: Bool, _ transposeB: Bool) -> Problem {
    Problem(
      description: "matrix product \(m)x\(n)x\(k) \(transposeA) \(transposeB)",
      shapes: [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n], [n]],
      terms: max(m, n, k) + 1, isMultilinear: true
    ) { graph, operands, _ in
      try graph.add(
        MatrixProduct(transposeA: transposeA, transposeB: transposeB, activation: .identity),
        operands, name: "product")[0]
    }
  }

  static func unary(_ description: String, _ shape: Shape, _ operation: any Operation) -> Problem {
    Problem(description: "\(description) \(shape)", shapes: [shape], terms: 64, isMultilinear: false) {
      graph, operands, _ in try graph.add(operation, operands, name: description)[0]
    }
  }

  static func pool(_ seed: Int, _ operation: (ResolvedWindow2D) -> any Operation) -> Problem? {
    var random = TestRandom(UInt64(9000 + seed))
    let window = Window2D(
      kernel: Size2D(y: random.int(1...3), x: random.int(1...4)),
      stride: Size2D(y: random.int(1...3), x: random.int(1...3)),
      dilation: seed % 3 == 0 ? 2 : 1,
      padding: [
        .none, .half, .same, .explicit(top: 0, left: 1, bottom: 1, right: 0),
      ][seed % 4])
    let shape: Shape = [
      random.int(1...3), random.int(3...10), random.int(3...10), [1, 3, 16, 17, 37][seed % 5],
    ]
    guard let resolved = try? window.resolve(height: shape[1], width: shape[2]) else { return nil }
    let operation = operation(resolved)
    // Padding of more than half the window is refused.
    guard (try? operation.outputTypes([TensorType(shape)], at: "pool")) != nil else { return nil }
    return unary("\(operation.name) \(resolved)", shape, operation)
  }

  static let others: [Problem] =
    [1, 15, 16, 17, 67].flatMap { count in
      [
        unary("relu", [count], Activate(function: .relu)),
        unary("leaky", [3, count], Activate(function: .leakyRelu(slope: 0.1))),
        unary("clip", [2, count], Activate(function: .clip(lower: 0, upper: 1))),
        unary("sigmoid", [count], Activate(function: .sigmoid)),
        unary("tanh", [count], Activate(function: .tanh)),
        unary("softmax", [3, count], SoftmaxOperation()),
        unary("affine", [count], Affine(factor: -0.5, offset: 2)),
        unary("channel sum", [5, 3, count], ChannelSum()),
        unary("reshape", [count, 2], ReshapeOperation(shape: [2, count])),
        unary("transpose", [2, 3, count], Transpose(permutation: [2, 0, 1])),
        batchNormalization(rows: [3, 5, 2], channels: count), frozenNormalization(channels: count, isLearned: true),
        frozenNormalization(channels: count, isLearned: false), dropout(count),
        unary("broadcast of a sum", [count], SumAll()),
        crossEntropy(rows: 7, classes: count, .mean), crossEntropy(rows: 3, classes: count, .mean, labelSmoothing: 0.1),
        crossEntropy(rows: 2, classes: count, .sum),
        Problem(
          description: "add, subtract, multiply \(count)", shapes: [[count], [count], [count]],
          terms: 4, isMultilinear: false
        ) { graph, x, _ in
          let sum = try graph.apply(Add(), x[0], x[1], name: "add")
          let difference = try graph.apply(Subtract(), sum, x[2], name: "subtract")
          return try graph.apply(Multiply(), difference, x[0], name: "multiply")
        },
        Problem(
          description: "concatenate \(count)", shapes: [[2, 3, count], [2, 3, 1], [2, 3, 5]], terms: 4,
          isMultilinear: false
        ) { graph, x, _ in
          try graph.apply(ConcatenateOperation(), x[0], x[1], x[2], x[0], name: "concatenate")
        },
        Problem(
          description: "channel slices \(count)", shapes: [[4, count + 5]], terms: 4, isMultilinear: false
        ) { graph, x, _ in
          let last = try graph.apply(ChannelSlice(channels: 5..<count + 5), x[0], name: "last")
          let middle = try graph.apply(ChannelSlice(channels: 2..<count + 2), x[0], name: "middle")
          let first = try graph.apply(ChannelSlice(channels: 0..<count), x[0], name: "first")
          let product = try graph.apply(Multiply(), last, middle, name: "product")
          return try graph.apply(Multiply(), product, first, name: "second product")
        },
        Problem(
          description: "mean squared error \(count)", shapes: [[4, count], [4, count]], terms: 64,
          isMultilinear: false
        ) { graph, x, _ in
          try graph.add(MeanSquaredError(reduction: .mean), x, name: "mse")[0]
        },
      ]
    }

  static func pooling(_ extent: Extent) -> [Problem] {
    (0..<(extent == .short ? 4 : 20)).flatMap { seed in
      [
        pool(seed) { MaxPool2DOperation(window: $0) },
        pool(seed) { AveragePool2DOperation(window: $0, countsPadding: true) },
        pool(seed) { AveragePool2DOperation(window: $0, countsPadding: false) },
      ].compactMap { $0 }
    }
  }

  static func batchNormalization(rows: [Int], channels: Int) -> Problem {
    Problem(
      description: "batch normalization \(rows) \(channels)",
      shapes: [Shape(rows + [channels]), [channels], [channels]], terms: 64, isMultilinear: false
    ) { graph, operands, _ in
      try graph.add(BatchNormalization(epsilon: 1e-5), operands, name: "bn")[0]
    }
  }

  /// By statistics that are constants: inference, and training with frozen ones. Without learned scale and shift, those
  /// are constants too, and the gradient is another node.
  static func frozenNormalization(channels: Int, isLearned: Bool) -> Problem {
    var random = TestRandom(UInt64(channels))
    let constants =
      [random.normals(channels), random.normals(channels).map { $0 * $0 + 0.1 }]
      + (isLearned ? [] : [random.normals(channels), random.normals(channels)])
    return Problem(
      description: "normalization by constants \(channels) \(isLearned)",
      shapes: [[3, 2, channels]] + (isLearned ? [[channels], [channels]] : []), terms: 64, isMultilinear: false
    ) { graph, operands, _ in
      let type = TensorType([channels], graph.type(of: operands[0]).element)
      let known = try constants.map { try graph.addConstant($0, type) }
      return try graph.add(
        Normalize(epsilon: 1e-5), [operands[0]] + known + operands.dropFirst(), name: "normalize")[0]
    }
  }

  static func dropout(_ count: Int) -> Problem {
    let counters = (try? [Tensor([7 as Int64], shape: .scalar), Tensor([3 as Int64], shape: .scalar)]) ?? []
    return Problem(
      description: "dropout \(count)", shapes: [[3, count]], fixed: counters, terms: 64, isMultilinear: false
    ) { graph, operands, fixed in
      try graph.add(DropoutOperation(probability: 0.3, stream: 11), operands + fixed, name: "dropout")[0]
    }
  }

  static func crossEntropy(rows: Int, classes: Int, _ reduction: Reduction, labelSmoothing: Double = 0) -> Problem {
    let labels = (0..<rows).map { Int32($0 * 5 % classes) }
    return Problem(
      description: "cross entropy \(rows) \(classes) \(reduction) \(labelSmoothing)", shapes: [[rows, classes]],
      fixed: (try? [Tensor(labels, shape: [rows])]) ?? [], terms: 64, isMultilinear: false
    ) { graph, operands, fixed in
      try graph.add(
        SoftmaxCrossEntropy(reduction: reduction, labelSmoothing: labelSmoothing), operands + fixed,
        name: "cross_entropy")[0]
    }
  }
}
