import Tessera
import TesseraKernels
import Testing

/// Ranks from 0 to 8, and sizes of 0 wherever they mean something: no images, no rows, no columns of a product.
@Suite struct ShapeExtremesTests {
  private var allOptions: [Program.Options] {
    KernelCatalogue.supported.map { Program.Options(instructionSet: $0) } + [.init(usesReferenceKernels: true)]
  }

  /// y and the gradients of sum(y) of an operation on operands of ones.
  private func results(
    _ operation: any Operation, _ shapes: [Shape], _ options: Program.Options
  ) throws -> [String: Tensor] {
    var graph = Graph()
    var operands: [Value] = []
    for (index, shape) in shapes.enumerated() { operands.append(try graph.addInput("x\(index)", TensorType(shape))) }
    let y = try graph.add(operation, operands, name: "y")[0]
    try graph.addOutput("y", y)
    let loss = try graph.apply(SumAll(), y, name: "loss")
    for (index, gradient) in try graph.differentiate(loss, withRespectTo: operands).enumerated() {
      try graph.addOutput("d\(index)", try #require(gradient))
    }
    let session = try Session(Program(graph, options: options), store: ParameterStore(), workers: 2)
    var inputs: [String: Tensor] = [:]
    for (index, shape) in shapes.enumerated() {
      inputs["x\(index)"] = try Tensor([Float](repeating: 1, count: shape.count), shape: shape)
    }
    return try session.run(inputs)
  }

  @Test(arguments: 0...8) func ranks(_ rank: Int) throws {
    let shape = Shape((0..<rank).map { $0 % 3 + 1 })
    for options in allOptions {
      for operation in [Activate(function: .relu), Affine(factor: 3), SumAll()] as [any Operation] {
        let results = try results(operation, [shape], options)
        #expect(results["d0"]?.shape == shape, "\(operation)")
      }
      let sum = try results(Add(), [shape, shape], options)
      #expect(try sum["y"]?.elements(as: Float.self) == [Float](repeating: 2, count: shape.count))
      let flat = try results(ReshapeOperation(shape: [shape.count]), [shape], options)
      #expect(flat["y"]?.shape == [shape.count] && flat["d0"]?.shape == shape)
    }
    let error = #expect(throws: TesseraError.self) {
      try Tensor([Float](), shape: Shape(Array(repeating: 0, count: 9)))
    }
    #expect(error?.code == .invalidShape)
  }

  /// All dimensions reversed: element (i0, ..., i7) comes from (i7, ..., i0).
  @Test func transposesOfRankEight() throws {
    let shape: Shape = [2, 1, 3, 2, 1, 2, 3, 2]
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(shape))
    let y = try graph.apply(Transpose(permutation: Array((0..<8).reversed())), x, name: "y")
    try graph.addOutput("y", y)
    try graph.addOutput("x", graph.apply(Transpose(permutation: Array((0..<8).reversed())), y, name: "back"))
    let session = try Session(Program(graph), store: ParameterStore(), workers: 2)
    let elements = (0..<shape.count).map(Float.init)
    let outputs = try session.run(["x": Tensor(elements, shape: shape)])
    #expect(try outputs["x"]?.elements(as: Float.self) == elements)
    let transposed = try #require(try outputs["y"]?.elements(as: Float.self))
    // The second element moves one step along the first dimension of x.
    #expect(transposed.prefix(2) == [0, Float(shape.count / 2)])
    #expect(outputs["y"]?.shape == [2, 3, 2, 1, 2, 3, 1, 2])
  }

  private static let window = ResolvedWindow2D(kernel: 2)
  private static let empty: [(any Operation, [Shape])] = [
    (Activate(function: .tanh), [[0]]), (Add(), [[3, 0], [3, 0]]), (Multiply(), [[0, 2], [0, 2]]),
    (Affine(factor: 2), [[0]]), (SumAll(), [[4, 0]]), (Broadcast(shape: [2, 0]), [.scalar]),
    (ChannelSum(), [[0, 5]]), (ChannelSum(), [[5, 0]]), (SoftmaxOperation(), [[0, 5]]),
    (Transpose(permutation: [1, 0]), [[0, 5]]), (Transpose(permutation: [2, 0, 1]), [[3, 0, 5]]),
    (ReshapeOperation(shape: [0, 7]), [[3, 0]]), (MeanSquaredError(reduction: .sum), [[0, 3], [0, 3]]),
    (MatrixProduct(), [[0, 4], [4, 3], [3]]), (MatrixProduct(), [[2, 0], [0, 3], [3]]),
    (MatrixProduct(), [[2, 4], [4, 0], [0]]), (MatrixProduct(transposeA: true, transposeB: true), [[0, 2], [3, 0]]),
    (MatrixProduct(activation: .sigmoid), [[2, 0], [0, 3]]),
    (Convolution2D(window: window), [[0, 4, 4, 3], [2, 2, 3, 5], [5]]),
    (ConvolutionBackwardData(window: window, inputHeight: 4, inputWidth: 4), [[0, 3, 3, 5], [2, 2, 3, 5], [3]]),
    (ConvolutionBackwardWeights(window: window), [[0, 4, 4, 3], [0, 3, 3, 5]]),
    (MaxPool2DOperation(window: window), [[0, 4, 4, 3]]), (MaxPool2DOperation(window: window), [[2, 4, 4, 0]]),
    (AveragePool2DOperation(window: window, countsPadding: true), [[0, 4, 4, 3]]),
    (AveragePool2DOperation(window: window, countsPadding: false), [[2, 4, 4, 0]]),
    (BatchNormalization(epsilon: 1e-5), [[0, 3], [3], [3]]),
    (Normalize(epsilon: 1e-5), [[0, 3], [3], [3], [3], [3]]),
    (Normalize(epsilon: 1e-5), [[3, 0], [0], [0], [0], [0]]),
  ]

  /// Sums over nothing are 0, and gradients with respect to what met nothing are 0 everywhere.
  @Test func sizesOfZero() throws {
    for options in allOptions {
      for (operation, shapes) in Self.empty {
        // Statistics over no rows, and gradients that aren't there, are typed errors of their own.
        if operation is BatchNormalization {
          #expect(throws: TesseraError.self) { try results(operation, shapes, options) }
          continue
        }
        let isNormalize = operation is Normalize
        let found = try isNormalize ? forward(operation, shapes, options) : results(operation, shapes, options)
        for (name, tensor) in found {
          let values: [Float] = try tensor.elements()
          #expect(values.allSatisfy { $0.isFinite }, "\(operation) \(shapes) \(name)")
        }
        for (index, shape) in shapes.enumerated() where !isNormalize {
          let gradient = try #require(found["d\(index)"])
          #expect(gradient.shape == shape)
          // What meets no element of the other operand, or no result, has gradient 0; a bias has one for each row.
          let isBias = index == 2 && (found["y"]?.shape.count ?? 0) > 0
          if !isBias {
            #expect(try gradient.elements(as: Float.self).allSatisfy { $0 == 0 }, "\(operation) \(shapes) d\(index)")
          }
        }
      }
      // The product over no columns is the bias, activated.
      let product = try results(MatrixProduct(), [[2, 0], [0, 3], [3]], options)
      #expect(try product["y"]?.elements(as: Float.self) == [1, 1, 1, 1, 1, 1])
      #expect(try product["d2"]?.elements(as: Float.self) == [2, 2, 2])
      let activated = try forward(MatrixProduct(activation: .sigmoid), [[2, 0], [0, 3]], options)
      #expect(try activated["y"]?.elements(as: Float.self) == [Float](repeating: 0.5, count: 6))
    }
  }

  /// A layer without inputs learns its bias; a batch without images moves nothing but the step.
  @Test func modelsOfNothingTrain() throws {
    let model = Sequential {
      Flatten()
      Dense(3, activation: .tanh, name: "first")
      Dense(2, name: "last")
    }
    for (example, batch) in [([4, 0, 2], 3), ([4, 1, 2], 0)] as [(Shape, Int)] {
      let store = ParameterStore(seed: 1)
      let trainer = try Trainer(
        model: model, inputShape: example, batch: batch, loss: .softmaxCrossEntropy(reduction: .sum),
        optimizer: .adam(), store: store, workers: 2)
      let shape = Shape([batch] + example.dimensions)
      let before = try store.snapshot()
      let loss = try trainer.step(
        Tensor([Float](repeating: 1, count: shape.count), shape: shape),
        Tensor([Int32](repeating: 1, count: batch), shape: [batch]), learningRate: 0.1
      ).loss
      #expect(batch == 0 ? loss == 0 : loss > 0)
      #expect(try store["step"]?.elements(as: Int64.self) == [1])
      for name in ["first.weight", "first.bias", "last.weight", "last.bias"] {
        let (old, new): ([Float], [Float]) = (
          try #require(before[name]).elements(), try #require(store[name]).elements()
        )
        let hasMoved = batch > 0 && name != "first.weight" && name != "last.weight"
        #expect((old != new) == hasMoved, "\(name) of \(shape)")
      }
    }
  }

  private func forward(
    _ operation: any Operation, _ shapes: [Shape], _ options: Program.Options
  ) throws -> [String: Tensor] {
    var graph = Graph()
    var inputs: [String: Tensor] = [:]
    var operands: [Value] = []
    for (index, shape) in shapes.enumerated() {
      operands.append(try graph.addInput("x\(index)", TensorType(shape)))
      inputs["x\(index)"] = try Tensor([Float](repeating: 1, count: shape.count), shape: shape)
    }
    try graph.addOutput("y", graph.add(operation, operands, name: "y")[0])
    return try Session(Program(graph, options: options), store: ParameterStore(), workers: 2).run(inputs)
  }
}
