import TesseraGraph
import Testing

/// The shape of a layer's result for two examples.
func outputShape(of layer: some Layer, _ example: Shape, mode: ModelMode = .inference) throws -> Shape {
  let graph = try layer.graph(batch: 2, mode: mode, inputShape: example)
  return graph.shape(of: try #require(graph.outputs.first).value)
}

@Suite struct LayerShapeTests {
  private let image: Shape = [9, 7, 4]

  @Test func convolution() throws {
    let cases: [(Conv2D, Shape)] = [
      (Conv2D(8, kernelSize: 3), [2, 7, 5, 8]), (Conv2D(8, kernelSize: 1), [2, 9, 7, 8]),
      (Conv2D(8, kernelSize: 3, padding: .half), [2, 9, 7, 8]),
      (Conv2D(8, kernelSize: 2, padding: .half), [2, 10, 8, 8]),
      (Conv2D(8, kernelSize: 3, padding: .full), [2, 11, 9, 8]),
      (Conv2D(8, kernelSize: 3, stride: 2, padding: .same), [2, 5, 4, 8]),
      (Conv2D(8, kernelSize: 3, padding: .explicit(top: 1, left: 0, bottom: 2, right: 5)), [2, 10, 10, 8]),
      (Conv2D(8, kernelSize: 3, dilation: 3), [2, 3, 1, 8]),
      (
        Conv2D(
          8, kernelSize: Size2D(y: 5, x: 2), stride: Size2D(y: 2, x: 3), dilation: Size2D(y: 1, x: 2), padding: .half),
        [2, 5, 3, 8]
      ),
      (Conv2D(8, kernelSize: 3, groups: 4, activation: .softmax), [2, 7, 5, 8]),
    ]
    for (layer, shape) in cases {
      #expect(try outputShape(of: layer, image) == shape)
    }
  }

  /// PyTorch's sizes: (P - 1) stride - 2 padding + (R - 1) dilation + 1 + outputPadding.
  @Test func transposedConvolution() throws {
    let image: Shape = [4, 6, 2]
    let cases: [(ConvTranspose2D, Shape)] = [
      (ConvTranspose2D(5, kernelSize: 3), [2, 6, 8, 5]), (ConvTranspose2D(5, kernelSize: 3, stride: 2), [2, 9, 13, 5]),
      (ConvTranspose2D(5, kernelSize: 3, stride: 2, padding: .half), [2, 7, 11, 5]),
      (ConvTranspose2D(5, kernelSize: 3, stride: 2, padding: .half, outputPadding: 1), [2, 8, 12, 5]),
      (ConvTranspose2D(5, kernelSize: 3, padding: .full), [2, 2, 4, 5]),
      (ConvTranspose2D(5, kernelSize: 3, stride: 2, padding: .same), [2, 8, 12, 5]),
      (ConvTranspose2D(5, kernelSize: 2, stride: 3, padding: .same), [2, 12, 18, 5]),
      (ConvTranspose2D(5, kernelSize: 3, dilation: 2), [2, 8, 10, 5]),
      (
        ConvTranspose2D(4, kernelSize: 2, stride: Size2D(y: 1, x: 3), groups: 2, outputPadding: Size2D(y: 0, x: 2)),
        [2, 5, 19, 4]
      ),
    ]
    for (layer, shape) in cases {
      #expect(try outputShape(of: layer, image) == shape)
    }
  }

  /// What a convolution makes of an image, the transposed one of the same window makes an image of that size again.
  @Test func transposedConvolutionInvertsSizes() throws {
    for kernel in 1...4 {
      for stride in 1...3 {
        for size in kernel...10 {
          let (k, s) = (Size2D(kernel), Size2D(stride))
          let small = try outputShape(of: Conv2D(3, kernelSize: k, stride: s), [size, size, 2])
          let rest = (size - kernel) % stride
          let layer = ConvTranspose2D(2, kernelSize: k, stride: s, outputPadding: Size2D(rest))
          #expect(try outputShape(of: layer, Shape(Array(small.dimensions.dropFirst()))) == [2, size, size, 2])
        }
      }
    }
  }

  @Test func pooling() throws {
    let cases: [(any Layer, Shape)] = [
      (MaxPool2D(2), [2, 4, 3, 4]), (MaxPool2D(2, stride: 1, padding: .same), [2, 9, 7, 4]),
      (MaxPool2D(3, stride: 2, padding: .half), [2, 5, 4, 4]), (MaxPool2D(3, stride: 1, dilation: 2), [2, 5, 3, 4]),
      (AveragePool2D(3, stride: 2), [2, 4, 3, 4]), (AveragePool2D(2, padding: .half), [2, 5, 4, 4]),
      (AveragePool2D(Size2D(y: 9, x: 7), countsPadding: false), [2, 1, 1, 4]),
      (GlobalAveragePool2D(), [2, 4]), (GlobalMaxPool2D(), [2, 4]),
    ]
    for (layer, shape) in cases {
      #expect(try outputShape(of: layer, image) == shape)
    }
  }

  @Test func theOthers() throws {
    let sideBySide = Concatenate {
      Conv2D(5, kernelSize: 1)
      Identity()
    }
    for mode in [ModelMode.inference, .training] {
      let cases: [(any Layer, Shape, Shape)] = [
        (Dense(7), [5], [2, 7]), (Flatten(), image, [2, 252]), (Flatten(), [5], [2, 5]), (Flatten(), [], [2, 1]),
        (Reshape([63, 4]), image, [2, 63, 4]), (Reshape([]), [1], [2]), (FromNCHW(), [4, 9, 7], [2, 9, 7, 4]),
        (ToNCHW(), image, [2, 4, 9, 7]), (BatchNorm2D(), image, [2, 9, 7, 4]), (BatchNorm2D(), [5], [2, 5]),
        (BatchNorm2D(frozen: true), image, [2, 9, 7, 4]), (Dropout(0.5), image, [2, 9, 7, 4]),
        (Dropout(0), image, [2, 9, 7, 4]), (ReLU(), image, [2, 9, 7, 4]), (LeakyReLU(), image, [2, 9, 7, 4]),
        (Sigmoid(), image, [2, 9, 7, 4]), (Tanh(), image, [2, 9, 7, 4]), (Softmax(), image, [2, 9, 7, 4]),
        (Residual { Conv2D(4, kernelSize: 3, padding: .half) }, image, [2, 9, 7, 4]),
        (
          Residual {
            Dense(3)
          } shortcut: {
            Dense(3)
          }, [5], [2, 3]
        ), (ReLU6(), image, [2, 9, 7, 4]),
        (Concatenate { Identity() }, image, [2, 9, 7, 4]),
        (sideBySide, image, [2, 9, 7, 9]),
        (AdaptiveAveragePool2D(Size2D(y: 3, x: 1)), image, [2, 3, 1, 4]),
        (AdaptiveAveragePool2D(Size2D(y: 9, x: 7)), image, [2, 9, 7, 4]),
        (Sequential([]), image, [2, 9, 7, 4]), (Shared("a", Dense(3)), [5], [2, 3]),
      ]
      for (layer, example, shape) in cases {
        #expect(try outputShape(of: layer, example, mode: mode) == shape, "\(layer)")
      }
    }
  }

  /// Dropout is a node in training only; its stream is the hash of its name.
  @Test func dropoutDependsOnTheMode() throws {
    let layer = Dropout(0.25, name: "drop")
    #expect(try layer.graph(batch: 1, inputShape: [4]).nodes.isEmpty)
    let training = try layer.graph(batch: 1, mode: .training, inputShape: [4])
    let operation = try #require(training.nodes.first?.operation as? DropoutOperation)
    #expect(operation == DropoutOperation(probability: 0.25, stream: StableHash.fnv1a("drop")))
    #expect(training.variables.map(\.variable.name) == ["seed", "step"])
  }

  @Test func elementTypesReachEveryWeight() throws {
    let graph = try Conv2D(2, kernelSize: 2).graph(batch: 1, inputShape: [3, 3, 1], element: .float64)
    #expect(graph.variables.allSatisfy { $0.variable.type.element == .float64 })
    #expect(graph.outputs.map { graph.type(of: $0.value).element } == [.float64])
  }

  @Test func theFirstLayersInputShapeIsTheModels() throws {
    let model = Sequential {
      Sequential { Conv2D(2, kernelSize: 3, inputShape: [8, 8, 1]) }
      Flatten()
    }
    #expect(model.inputShape == [8, 8, 1])
    let graph = try model.graph(batch: 3)
    #expect(graph.inputs.map(\.name) == ["input"])
    #expect(graph.outputs.map { graph.shape(of: $0.value).dimensions } == [[3, 72]])
  }
}
