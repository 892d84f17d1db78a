import Tessera
import TesseraKernels
import TesseraVerification
import Testing

@Suite struct FusionTests {
  /// What is fused is computed alike: the same bits, for any number of workers. Statistics that are folded into weights
  /// are rounded elsewhere.
  @Test(arguments: Problems.blocks + Problems.fused)
  func fusedIsUnfused(_ problem: Problem) throws {
    let operands = problem.operands(seed: 7)
    var random = TestRandom(8)
    let g = random.normals(try problem.resultCount())
    let algorithms: [ConvolutionAlgorithm?] =
      problem.shapes[1] == problem.shapes.last ? [nil, .direct, .im2col, .winograd] : [nil, .direct, .im2col]
    for instructionSet in KernelCatalogue.supported {
      for algorithm in algorithms {
        var options = Program.Options(instructionSet: instructionSet, algorithm: algorithm, fusesNodes: false)
        let unfused = try problem.program(.float32, options)
        options.fusesNodes = true
        let fused = try problem.program(.float32, options)
        #expect(fused.kernelSummary.count < unfused.kernelSummary.count)
        let expected = try problem.run(unfused, operands, g: g)
        let isFolded = problem.description.hasSuffix("frozen")
        for workers in [1, 3] {
          let found = try problem.run(fused, operands, g: g, workers: workers)
          for (name, values) in expected {
            let result = try #require(found[name])
            let largest = values.reduce(0) { max($0, abs($1)) }
            let isSame = zip(result, values).allSatisfy {
              isFolded ? abs($0 - $1) <= 2e-5 * largest : $0 == $1
            }
            #expect(isSame, "\(problem) \(instructionSet) \(algorithm?.rawValue ?? "") \(workers) \(name)")
          }
        }
      }
    }
  }

  // MARK: What is taken in

  private func operations(_ graph: Graph) throws -> [String] {
    try Program(graph).kernelSummary.map(\.operation).filter { $0 != "pack" }
  }

  private func operations(_ layer: some Layer, _ example: Shape, mode: ModelMode = .inference) throws -> [String] {
    try operations(layer.graph(batch: 2, mode: mode, inputShape: example))
  }

  @Test func activations() throws {
    #expect(try operations(Conv2D(2, kernelSize: 3, activation: .relu), [5, 5, 1]) == ["conv2d+relu"])
    #expect(
      try operations(ConvTranspose2D(2, kernelSize: 3, activation: .tanh), [5, 5, 1]) == ["conv2d_backward_data+tanh"])
    #expect(try operations(Sequential([Dense(2), Sigmoid()]), [3]) == ["matrix_product+sigmoid"])
    #expect(
      try operations(Sequential([Conv2D(2, kernelSize: 3), ReLU6()]), [5, 5, 1]) == ["conv2d+clip(0.0...6.0)"])
    // Only the first of two.
    #expect(try operations(Sequential([Dense(2), ReLU(), Tanh()]), [3]) == ["matrix_product+relu", "tanh"])
    // Not into others.
    #expect(try operations(Sequential([MaxPool2D(2), ReLU()]), [4, 4, 1]) == ["max_pool", "relu"])
    #expect(try operations(Sequential([Dense(2), Softmax()]), [3]) == ["matrix_product", "softmax"])
  }

  /// Maxima of 2 x 2 go into Winograd's kernel where their places aren't asked for, and are the same bits.
  @Test func pooledMaxima() throws {
    let layers: [any Layer] = [
      Conv2D(24, kernelSize: 3, activation: .relu), MaxPool2D(2), Conv2D(9, kernelSize: 5), MaxPool2D(2),
    ]
    let example: Shape = [19, 21, 16]
    let inference = try Sequential(layers).graph(batch: 2, mode: .inference, inputShape: example)
    #expect(
      try Program(inference, options: .init(algorithm: .winograd)).kernelSummary.map(\.operation).filter {
        $0 != "pack"
      }
        == ["conv2d+relu+max_pool", "conv2d+max_pool"])
    #expect(
      try Program(inference, options: .init(algorithm: .direct)).kernelSummary.map(\.operation).filter { $0 != "pack" }
        == ["conv2d+relu", "max_pool", "conv2d", "max_pool"])
    // Not where the places are asked for.
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([2, 8, 8, 16]))
    let w = try graph.addVariable(Variable(name: "w", type: TensorType([3, 3, 16, 16])))
    let y = try graph.apply(Convolution2D(window: ResolvedWindow2D(kernel: 3)), x, w, name: "conv")
    let pooled = try graph.add(
      MaxPool2DOperation(window: ResolvedWindow2D(kernel: 2, stride: 2)), [y], name: "pool")
    try graph.addOutput("y", pooled[0])
    try graph.addOutput("places", pooled[1])
    #expect(try operations(graph) == ["conv2d", "max_pool"])
    // Not of other windows.
    for window in [MaxPool2D(3, stride: 2), MaxPool2D(2, stride: 1)] {
      #expect(try operations(Sequential([layers[0], window]), example).last == "max_pool")
    }
  }

  /// With images enough a direct convolution and its pooling are one node, image by image, and give the same bits: dense or
  /// channels of wider pixels, with and without the places of the maxima.
  @Test(arguments: KernelCatalogue.supported, [false, true])
  func pooledImageByImage(_ instructionSet: InstructionSet, keepsPlaces: Bool) throws {
    let windows = [
      ResolvedWindow2D(kernel: 2, stride: 2),
      ResolvedWindow2D(kernel: 3, stride: 2, top: 1, left: 1, bottom: 1, right: 1),
      ResolvedWindow2D(kernel: Size2D(y: 7, x: 6)),
    ]
    for (window, stride) in windows.flatMap({ [($0, 1), ($0, 2)] }) {
      for isMaximum in [true, false] {
        let batch = 17
        var graph = Graph()
        let a = try graph.addInput("a", TensorType([batch, 15, 13, 3]))
        let b = try graph.addInput("b", TensorType([batch, 15, 13, 2]))
        let joined = try graph.apply(ConcatenateOperation(), a, b, name: "joined")
        let part = try graph.apply(ChannelSlice(channels: 1..<4), joined, name: "part")
        let w = try graph.addVariable(Variable(name: "w", type: TensorType([3, 3, 3, 19]), initializer: .he))
        let y = try graph.apply(
          Convolution2D(
            window: ResolvedWindow2D(
              kernel: 3, stride: Size2D(y: stride, x: stride), top: 1, left: 1, bottom: 1, right: 1),
            activation: .tanh), part, w, name: "conv")
        let pooling: any TesseraGraph.Operation =
          isMaximum ? MaxPool2DOperation(window: window) : AveragePool2DOperation(window: window, countsPadding: false)
        let pooled = try graph.add(pooling, [y], name: "pool")
        for (index, value) in pooled.enumerated() where keepsPlaces || index == 0 {
          try graph.addOutput("result\(index)", value)
        }
        var random = TestRandom(9)
        let inputs = [
          "a": try Tensor(random.normals(batch * 15 * 13 * 3).map(Float.init), shape: [batch, 15, 13, 3]),
          "b": try Tensor(random.normals(batch * 15 * 13 * 2).map(Float.init), shape: [batch, 15, 13, 2]),
        ]
        var options = Program.Options(instructionSet: instructionSet, algorithm: .direct)
        let fused = try Program(graph, options: options)
        #expect(fused.kernelSummary.contains { $0.operation == "conv2d+tanh+\(pooling.name)" })
        options.fusesNodes = false
        let store = ParameterStore(seed: 3)
        let expected = try Session(Program(graph, options: options), store: store, workers: 1).run(inputs)
        for workers in [1, 3] {
          let found = try Session(fused, store: store, workers: workers).run(inputs)
          #expect(found.keys == expected.keys)
          for (name, tensor) in expected {
            let result = try #require(found[name])
            let isSame = tensor.withUnsafeBytes { bytes in result.withUnsafeBytes { bytes.elementsEqual($0) } }
            #expect(isSame, "\(window) \(stride) \(name)")
          }
        }
      }
    }
  }

  /// The gradient of a pooling that only gradients of weights and bias read is computed with them, image by image: the same
  /// sums in another order, and the same bits for any number of workers.
  @Test(arguments: KernelCatalogue.supported, [false, true])
  func unpooledImageByImage(_ instructionSet: InstructionSet, hasBias: Bool) throws {
    let batch = 17
    for (window, channels) in [
      (ResolvedWindow2D(kernel: 2, stride: 2), 1),
      (ResolvedWindow2D(kernel: 3, stride: 2, top: 1, left: 1, bottom: 1, right: 1), 3),
    ] {
      var graph = Graph()
      let x = try graph.addInput("x", TensorType([batch, 12, 11, channels]))
      let w = try graph.addVariable(
        Variable(name: "w", type: TensorType([5, 3, channels, 21]), initializer: .he))
      let bias = try graph.addVariable(Variable(name: "bias", type: TensorType([21])))
      let convolution = Convolution2D(window: ResolvedWindow2D(kernel: Size2D(y: 5, x: 3), top: 1, left: 1))
      let y = try graph.add(convolution, hasBias ? [x, w, bias] : [x, w], name: "conv")[0]
      let pooled = try graph.add(MaxPool2DOperation(window: window), [y], name: "pool")[0]
      let squares = try graph.apply(Multiply(), pooled, pooled, name: "squares")
      let loss = try graph.apply(SumAll(), squares, name: "loss")
      for (index, gradient) in try graph.differentiate(loss, withRespectTo: hasBias ? [w, bias] : [w]).enumerated() {
        try graph.addOutput("gradient\(index)", #require(gradient))
      }
      var random = TestRandom(10)
      let images = random.normals(batch * 12 * 11 * channels).map(Float.init)
      let inputs = ["x": try Tensor(images, shape: [batch, 12, 11, channels])]
      let store = ParameterStore(seed: 4)
      var options = Program.Options(instructionSet: instructionSet, numerics: .exact)
      let fused = try Program(graph, options: options)
      let operations = fused.kernelSummary.map(\.operation)
      #expect(operations.contains("max_pool_backward+conv2d_backward_weights") && !operations.contains("channel_sum"))
      options.usesReferenceKernels = true
      let expected = try Session(Program(graph, options: options), store: store, workers: 1).run(inputs)
      var first: [String: [Float]] = [:]
      for workers in [1, 3] {
        let found = try Session(fused, store: store, workers: workers).run(inputs)
        for (name, tensor) in expected {
          let (result, reference) = (
            try #require(found[name]).elements(as: Float.self), try tensor.elements(as: Float.self)
          )
          let largest = reference.reduce(0) { max($0, abs($1)) }
          #expect(zip(result, reference).allSatisfy { abs($0 - $1) <= 2e-6 * largest }, "\(window) \(name)")
          #expect(first[name] == nil || first[name] == result, "\(workers) \(name)")
          first[name] = result
        }
      }
    }
  }

  /// Not with few images, nor with large ones, and not where the convolution's output is read by others.
  @Test func pooledApart() throws {
    func pooled(_ batch: Int, _ example: Shape, isOutput: Bool = false) throws -> [String] {
      var graph = Graph()
      let x = try graph.addInput("x", TensorType(Shape([batch] + example.dimensions)))
      let w = try graph.addVariable(Variable(name: "w", type: TensorType([3, 3, 1, 16])))
      let y = try graph.apply(Convolution2D(window: ResolvedWindow2D(kernel: 3)), x, w, name: "conv")
      try graph.addOutput(
        "y", graph.add(MaxPool2DOperation(window: ResolvedWindow2D(kernel: 2, stride: 2)), [y], name: "pool")[0])
      if isOutput { try graph.addOutput("unpooled", y) }
      return try operations(graph)
    }
    #expect(try pooled(16, [9, 9, 1]) == ["conv2d+max_pool"])
    #expect(try pooled(15, [9, 9, 1]) == ["conv2d", "max_pool"])
    #expect(try pooled(16, [500, 500, 1]) == ["conv2d", "max_pool"])
    #expect(try pooled(16, [9, 9, 1], isOutput: true) == ["conv2d", "max_pool"])
  }

  /// A graph of one convolution, and what else a test adds to it.
  private struct Pieces {
    var graph = Graph()
    let x: Value, y: Value
    private let w: Value
    let type = TensorType([1, 4, 4, 2])

    init() throws {
      x = try graph.addInput("x", type)
      w = try graph.addVariable(Variable(name: "w", type: TensorType([1, 1, 2, 2])))
      y = try graph.apply(Convolution2D(window: ResolvedWindow2D(kernel: 1)), x, w, name: "conv")
    }

    mutating func convolve(_ x: Value, name: String) throws -> Value {
      try graph.apply(Convolution2D(window: ResolvedWindow2D(kernel: 1)), x, w, name: name)
    }

    mutating func add(_ a: Value, _ b: Value) throws -> Value { try graph.apply(Add(), a, b, name: "add") }

    mutating func relu(_ x: Value) throws -> Value {
      try graph.apply(Activate(function: .relu), x, name: "relu")
    }
  }

  @Test func additions() throws {
    var pieces = try Pieces()
    try pieces.graph.addOutput("y", pieces.relu(pieces.add(pieces.x, pieces.y)))
    #expect(try operations(pieces.graph) == ["conv2d+add+relu"])

    // Of two kernels the later one, whose node is the one that is left of the three.
    var two = try Pieces()
    let second = try two.convolve(two.relu(two.x), name: "second")
    try two.graph.addOutput("y", two.add(second, two.y))
    let nodes = try Program(two.graph).graph.nodes.filter { !$0.name.hasSuffix("pack") }
    #expect(nodes.map(\.name) == ["conv", "relu", "second"])

    // An addend that only follows later: the kernel waits for it.
    var late = try Pieces()
    let tanh = try late.graph.apply(Activate(function: .tanh), late.x, name: "tanh")
    try late.graph.addOutput("y", late.add(late.y, tanh))
    #expect(try operations(late.graph) == ["tanh", "conv2d+add"])

    // A value added to itself is read twice; the second addition and the second activation find the kernel taken.
    var itself = try Pieces()
    try itself.graph.addOutput("y", itself.add(itself.y, itself.y))
    #expect(try operations(itself.graph) == ["conv2d", "add"])
    var chain = try Pieces()
    let sum = try chain.add(chain.add(chain.y, chain.x), chain.x)
    try chain.graph.addOutput("y", chain.relu(chain.relu(sum)))
    #expect(try operations(chain.graph) == ["conv2d+add", "add+relu", "relu"])
  }

  /// Whoever else reads what stands between still finds it.
  @Test func notWhatOthersRead() throws {
    for reader in ["output", "node", "check", "update"] {
      var graph = Graph()
      let type = TensorType([2, 2])
      let x = try graph.addInput("x", type)
      let w = try graph.addVariable(Variable(name: "w", type: type))
      let product = try graph.apply(MatrixProduct(), x, w, name: "product")
      try graph.addOutput("y", try graph.apply(Activate(function: .relu), product, name: "relu"))
      switch reader {
      case "output": try graph.addOutput("between", product)
      case "node": try graph.addOutput("sum", try graph.apply(SumAll(), product, name: "sum"))
      case "check": try graph.requireFinite(product)
      default: try graph.addUpdate(of: w, to: product)
      }
      #expect(try operations(graph).prefix(2) == ["matrix_product", "relu"], "\(reader)")
    }
  }

  /// A kernel of several results isn't moved behind those that read them.
  @Test func severalResults() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([4, 3]))
    let c = try graph.addInput("c", TensorType([3]))
    let results = try graph.add(BatchNormalization(epsilon: 0), [x, c, c], name: "norm")
    try graph.addOutput("mean", graph.apply(Affine(factor: 2), results[1], name: "twice"))
    let early = try graph.apply(Add(), results[0], x, name: "add")
    let late = try graph.apply(Activate(function: .tanh), x, name: "tanh")
    try graph.addOutput("y", graph.apply(Add(), early, late, name: "add"))
    #expect(try operations(graph) == ["batch_norm+add", "affine", "tanh", "add"])
    var other = Graph()
    let input = try other.addInput("x", TensorType([4, 3]))
    let parameters = try other.addInput("c", TensorType([3]))
    let y = try other.add(BatchNormalization(epsilon: 0), [input, parameters, parameters], name: "norm")[0]
    let addend = try other.apply(SoftmaxOperation(), input, name: "softmax")
    try other.addOutput("y", other.apply(Add(), y, addend, name: "add"))
    #expect(try operations(other) == ["batch_norm", "softmax", "add"])
  }

  /// A training step has no activation and no gradient of one left.
  @Test func trainingGraphs() throws {
    let model = Sequential {
      Conv2D(2, kernelSize: 3, activation: .relu)
      Conv2D(2, kernelSize: 3)
      BatchNorm2D()
      Tanh()
      MaxPool2D(2)
      Flatten()
      Dense(3, activation: .sigmoid)
      Dense(3, activation: .tanh)
    }
    let graph = try TrainingGraph.build(
      model: model, inputShape: [9, 9, 1], batch: 2, loss: .meanSquaredError(), optimizer: .sgd())
    let found = Set(try operations(graph))
    #expect(found.isSuperset(of: ["conv2d+relu", "batch_norm+tanh", "max_pool_backward+tanh_gradient"]))
    #expect(found.isSuperset(of: ["conv2d_backward_data+relu_gradient", "matrix_product+sigmoid_gradient"]))
    #expect(found.isDisjoint(with: ["relu", "sigmoid", "tanh", "relu_gradient", "sigmoid_gradient"]))
  }

  // MARK: Folding

  /// Statistics go into packed weights; the parameters stay, and results follow when they are written.
  @Test func normalizationsAreFolded() throws {
    let model = Sequential {
      Conv2D(5, kernelSize: 3, useBias: false)
      BatchNorm2D()
      ReLU()
      Conv2D(3, kernelSize: 1)
      BatchNorm2D()
      Flatten()
      Dense(4)
      BatchNorm2D()
    }
    let graph = try model.graph(batch: 2, inputShape: [6, 6, 2])
    let store = ParameterStore(seed: 5)
    let fused = try Session(Program(graph), store: store, workers: 2)
    let unfused = try Session(Program(graph, options: .init(fusesNodes: false)), store: store, workers: 2)
    #expect(
      fused.program.kernelSummary.map(\.operation).filter { !["pack", "normalize", "reshape"].contains($0) }
        == ["conv2d+relu", "conv2d", "matrix_product"])
    var random = TestRandom(9)
    let input = try Tensor(rounding: random.normals(2 * 6 * 6 * 2), to: TensorType([2, 6, 6, 2]))
    var before: [Double] = []
    for round in 0..<2 {
      let names = try store.snapshot()
      for (name, value) in names where round > 0 && name.contains("batch_norm2d") {
        let values = random.normals(value.type.shape.count).map { name.hasSuffix("var") ? $0 * $0 + 0.25 : $0 }
        try store.set([name: Tensor(rounding: values, to: value.type)])
      }
      let parameters = try store.snapshot().mapValues { try $0.doubles }
      let found = try fused.run(["input": input]).mapValues { try $0.doubles }
      let expected = try unfused.run(["input": input]).mapValues { try $0.doubles }
      #expect(try store.snapshot().mapValues { try $0.doubles } == parameters)
      let (y, z) = (try #require(found["output"]), try #require(expected["output"]))
      let largest = z.reduce(1e-3) { max($0, abs($1)) }
      #expect(zip(y, z).allSatisfy { abs($0 - $1) <= 1e-5 * largest })
      #expect(y != before)
      before = y
    }
  }

  /// Not where anyone else reads the sum, where statistics aren't parameters, or where the weights' last dimension isn't
  /// the result's.
  @Test func normalizationsThatStay() throws {
    for reason in ["none", "output", "input", "transposed", "activation"] {
      var graph = Graph()
      let (matrix, row) = (TensorType([3, 3]), TensorType([3]))
      let x = try graph.addInput("x", matrix)
      let w = try graph.addVariable(Variable(name: "w", type: matrix))
      let statistic =
        reason == "input" ? try graph.addInput("s", row) : try graph.addVariable(Variable(name: "s", type: row))
      let product = try graph.apply(
        MatrixProduct(transposeB: reason == "transposed", activation: reason == "activation" ? .relu : .identity),
        x, w, name: "product")
      if reason == "output" { try graph.addOutput("between", product) }
      try graph.addOutput(
        "y",
        graph.apply(
          Normalize(epsilon: 1), product, statistic, statistic, statistic, statistic, name: "normalize"))
      let result = try FoldNormalizations().run(graph)
      let isFolded = result.nodes.last?.operation is MatrixProduct
      #expect(isFolded == (reason == "none"), "\(reason)")
    }
  }
}
