import Tessera
import TesseraKernels
import Testing

/// NaN is passed on, as PyTorch does, also by activations that run inside another operation.
@Suite struct NotANumberTests {
  private static let activations: [LayerActivation] = [.linear, .relu, .leakyRelu(), .relu6, .sigmoid, .tanh]

  /// The elements of the output that are NaN where these elements of an image of ones are.
  private func spread(
    _ layer: some Layer, _ shape: Shape, _ positions: [Int], _ options: Program.Options
  ) throws -> [Int] {
    let batch = shape[0]
    let program = try Program(
      layer.graph(batch: batch, inputShape: Shape(Array(shape.dimensions.dropFirst()))), options: options)
    var elements = [Float](repeating: 1, count: shape.count)
    for position in positions { elements[position] = .nan }
    let session = try Session(program, store: ParameterStore(seed: 1), workers: 2)
    let output = try #require(try session.run(["input": Tensor(elements, shape: shape)])["output"])
    let values: [Float] = try output.elements()
    return values.indices.filter { values[$0].isNaN }
  }

  private var allOptions: [Program.Options] {
    KernelCatalogue.supported.map { Program.Options(instructionSet: $0) } + [.init(usesReferenceKernels: true)]
  }

  @Test func convolutionsAndProducts() throws {
    for options in allOptions {
      for activation in Self.activations {
        // Pixel (2, 2) of 5 x 5 is seen by the windows at 0...2: all nine of 19 filters.
        let convolution = Conv2D(19, kernelSize: 3, activation: activation)
        #expect(try spread(convolution, [1, 5, 5, 1], [12], options) == Array(0..<171), "\(options) \(activation)")
        // Pixel (0, 0) by the first one.
        #expect(try spread(convolution, [1, 5, 5, 1], [0], options) == Array(0..<19), "\(options) \(activation)")
        let transposed = ConvTranspose2D(3, kernelSize: 2, stride: 2, activation: activation)
        #expect(
          try spread(transposed, [1, 2, 2, 1], [3], options) == [30, 31, 32, 33, 34, 35, 42, 43, 44, 45, 46, 47])
        #expect(try spread(Dense(19, activation: activation), [3, 4], [5], options) == Array(19..<38))
      }
    }
  }

  @Test func elementsAndWindows() throws {
    for options in allOptions {
      for layer in [ReLU(), LeakyReLU(), Sigmoid(), Tanh()] as [any Layer] {
        #expect(try spread(Sequential([layer]), [1, 37], [0, 17, 36], options) == [0, 17, 36], "\(options) \(layer)")
      }
      #expect(try spread(Softmax(), [2, 5], [7], options) == [5, 6, 7, 8, 9])
      #expect(try spread(MaxPool2D(2), [1, 4, 4, 1], [5, 15], options) == [0, 3])
      #expect(try spread(AveragePool2D(2), [1, 4, 4, 1], [5, 15], options) == [0, 3])
      #expect(try spread(GlobalMaxPool2D(), [2, 3, 3, 2], [19], options) == [3])
      #expect(try spread(BatchNorm2D(), [2, 3], [4], options) == [4])
    }
  }
}
