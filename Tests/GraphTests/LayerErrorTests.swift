import TesseraGraph
import Testing

@Suite struct LayerErrorTests {
  private let image: Shape = [8, 8, 4]

  /// Expects the error in training and in inference alike.
  private func expectRefusal(
    _ code: TesseraError.Code, at location: String, expected: String, found: String, _ example: Shape,
    sourceLocation: SourceLocation = #_sourceLocation, _ layer: some Layer
  ) {
    for mode in [ModelMode.training, .inference] {
      expectError(code, at: location, expected: expected, found: found, sourceLocation: sourceLocation) {
        _ = try layer.graph(batch: 2, mode: mode, inputShape: example)
      }
    }
  }

  @Test func channelsAndGroups() {
    let divide = "channels and filters that 3 groups divide"
    expectRefusal(
      .shapeMismatch, at: "conv2d", expected: divide, found: "4 channels, 3 filters", image,
      Conv2D(3, kernelSize: 3, groups: 3))
    expectRefusal(
      .shapeMismatch, at: "conv2d", expected: divide, found: "3 channels, 4 filters", [8, 8, 3],
      Conv2D(4, kernelSize: 3, groups: 3))
    expectRefusal(
      .shapeMismatch, at: "conv_transpose2d", expected: divide, found: "4 channels, 3 filters", image,
      ConvTranspose2D(3, kernelSize: 3, groups: 3))
    expectRefusal(
      .shapeMismatch, at: "conv2d", expected: "channels", found: "0 channels", [8, 8, 0], Conv2D(3, kernelSize: 3))
    for number in [0, -1] {
      expectRefusal(
        .invalidAttribute, at: "conv2d", expected: "groups of 1 or more", found: "\(number)", image,
        Conv2D(3, kernelSize: 3, groups: number))
      expectRefusal(
        .invalidAttribute, at: "conv_transpose2d", expected: "groups of 1 or more", found: "\(number)", image,
        ConvTranspose2D(3, kernelSize: 3, groups: number))
      expectRefusal(
        .invalidAttribute, at: "conv2d", expected: "filters of 1 or more", found: "\(number)", image,
        Conv2D(number, kernelSize: 3))
      expectRefusal(
        .invalidAttribute, at: "conv_transpose2d", expected: "filters of 1 or more", found: "\(number)", image,
        ConvTranspose2D(number, kernelSize: 3))
      expectRefusal(
        .invalidAttribute, at: "dense", expected: "units of 1 or more", found: "\(number)", [4], Dense(number))
    }
  }

  @Test func ranks() {
    for (layer, name) in [
      (Conv2D(3, kernelSize: 3), "conv2d"), (ConvTranspose2D(3, kernelSize: 3), "conv_transpose2d"),
      (MaxPool2D(2), "max_pool2d"), (AveragePool2D(2), "average_pool2d"),
      (GlobalAveragePool2D(), "global_average_pool2d"), (GlobalMaxPool2D(), "global_max_pool2d"),
    ] as [(any Layer, String)] {
      expectRefusal(.shapeMismatch, at: name, expected: "rank 4 (images [N, ", found: "[2, 5]", [5], layer)
    }
    expectRefusal(
      .shapeMismatch, at: "dense", expected: "rank 2 ([N, C]; Flatten comes before Dense)", found: "[2, 8, 8, 4]",
      image, Dense(3))
    expectRefusal(
      .invalidAttribute, at: "from_nchw", expected: "a permutation of 0..<2", found: "[0, 2, 3, 1]", [5], FromNCHW())
    expectRefusal(.invalidAttribute, at: "to_nchw", expected: "a permutation of 0..<3", found: "", [5, 5], ToNCHW())
  }

  @Test func windows() {
    for number in [0, -1, Int.min] {
      let size = Size2D(number)
      for (layer, what) in [
        (Conv2D(3, kernelSize: size), "a kernel"), (Conv2D(3, kernelSize: 3, stride: size), "a stride"),
        (Conv2D(3, kernelSize: 3, dilation: size), "a dilation"),
      ] {
        expectRefusal(.invalidAttribute, at: "conv2d", expected: "\(what) of 1", found: "\(number)", image, layer)
      }
      for (layer, what) in [
        (ConvTranspose2D(3, kernelSize: size), "a kernel"),
        (ConvTranspose2D(3, kernelSize: 3, dilation: size), "a dilation"),
        (ConvTranspose2D(3, kernelSize: 3, stride: size), "a stride"),
        (ConvTranspose2D(3, kernelSize: 3, stride: size, padding: .same), "a stride"),
      ] {
        expectRefusal(
          .invalidAttribute, at: "conv_transpose2d", expected: "\(what) of 1", found: "\(number)", image, layer)
      }
      expectRefusal(
        .invalidAttribute, at: "max_pool2d", expected: "a kernel", found: "\(number)", image, MaxPool2D(size))
      expectRefusal(
        .invalidAttribute, at: "average_pool2d", expected: "a stride", found: "\(number)", image,
        AveragePool2D(2, stride: size))
    }
    expectRefusal(
      .shapeMismatch, at: "conv2d", expected: "at least 9 padded rows, the window", found: "8", image,
      Conv2D(3, kernelSize: 9))
    expectRefusal(
      .shapeMismatch, at: "max_pool2d", expected: "at least 10 padded columns", found: "8", image,
      MaxPool2D(Size2D(y: 1, x: 10)))
    expectRefusal(
      .invalidAttribute, at: "conv2d", expected: "padding of 0 to", found: "(0, -1, 0, 0)", image,
      Conv2D(3, kernelSize: 3, padding: .explicit(top: 0, left: -1, bottom: 0, right: 0)))
  }

  /// Sizes whose sums or products don't fit are errors and no traps.
  @Test func hugeWindows() {
    let huge = Size2D(Int.max)
    let inputs: [(any Layer, String)] = [
      (Conv2D(3, kernelSize: huge), "conv2d"), (Conv2D(3, kernelSize: 3, stride: huge), "conv2d"),
      (Conv2D(3, kernelSize: 3, dilation: huge), "conv2d"),
      (Conv2D(3, kernelSize: 3, padding: .explicit(Int.max)), "conv2d"),
      (ConvTranspose2D(3, kernelSize: huge), "conv_transpose2d"),
      (ConvTranspose2D(3, kernelSize: 3, stride: huge), "conv_transpose2d"),
      (ConvTranspose2D(3, kernelSize: 3, stride: huge, outputPadding: Size2D(Int.max - 1)), "conv_transpose2d"),
      (ConvTranspose2D(3, kernelSize: 3, stride: huge, padding: .same), "conv_transpose2d"),
      (ConvTranspose2D(3, kernelSize: 3, stride: Size2D(Int.max / 4)), "conv_transpose2d"),
      (ConvTranspose2D(3, kernelSize: 3, padding: .explicit(Int.max)), "conv_transpose2d"),
      (MaxPool2D(2, padding: .explicit(Int.max)), "max_pool2d"), (MaxPool2D(2, dilation: huge), "max_pool2d"),
      (AveragePool2D(2, stride: huge), "average_pool2d"),
    ]
    for (layer, location) in inputs {
      expectRefusal(.invalidAttribute, at: location, expected: "", found: "", image, layer)
    }
    expectRefusal(
      .invalidShape, at: "variable conv2d.weight", expected: "elements", found: "[1, 1, 4, \(Int.max)]", image,
      Conv2D(Int.max, kernelSize: 1))
  }

  /// A window without an element has no maximum and no mean.
  @Test func paddingAboveHalfTheWindow() {
    let half = "padding of at most half the window"
    expectRefusal(
      .invalidAttribute, at: "max_pool2d", expected: half, found: "padding (2, 2, 2, 2)", image,
      MaxPool2D(2, padding: .explicit(2)))
    expectRefusal(
      .invalidAttribute, at: "average_pool2d", expected: half, found: "padding (0, 0, 0, 2)", image,
      AveragePool2D(3, padding: .explicit(top: 0, left: 0, bottom: 0, right: 2)))
    expectRefusal(.invalidAttribute, at: "max_pool2d", expected: half, found: "", image, MaxPool2D(3, padding: .full))
  }

  /// Small images beside padding, and dilations that step over the image, leave windows without an element.
  @Test func windowsThatMissTheImage() throws {
    let refused: [(layer: MaxPool2D, example: Shape)] = [
      (MaxPool2D(2, padding: .half), [0, 4, 1]),
      (MaxPool2D(2, padding: .half), [4, 0, 1]),
      // Rows -2 and 2 of an image of one row; rows -1 and 1 of one.
      (MaxPool2D(2, dilation: 4, padding: .explicit(2)), [1, 8, 1]),
      (MaxPool2D(2, stride: 1, dilation: 2, padding: .explicit(1)), [1, 8, 1]),
    ]
    for (layer, example) in refused {
      #expect(throws: TesseraError.self, "\(layer) \(example)") { try layer.graph(batch: 1, inputShape: example) }
    }
    expectRefusal(
      .shapeMismatch, at: "max_pool2d", expected: "an element of the image in every window", found: "over 1 x 8",
      [1, 8, 1], MaxPool2D(2, stride: 1, dilation: 2, padding: .explicit(1)))
    // Rows -2, 0 and 2: the middle one is there.
    _ = try MaxPool2D(3, dilation: 2, padding: .half).graph(batch: 1, inputShape: [1, 8, 1])
    // Rows -1 and 1, 0 and 2, 1 and 3.
    _ = try MaxPool2D(2, stride: 1, dilation: 2, padding: .explicit(1)).graph(batch: 1, inputShape: [2, 8, 1])
  }

  @Test func outputPadding() {
    for padding in [Size2D(y: 2, x: 0), Size2D(y: 0, x: 2), Size2D(y: -1, x: 0), Size2D(Int.max)] {
      expectRefusal(
        .invalidAttribute, at: "conv_transpose2d", expected: "output padding in 0..<stride", found: "\(padding)", image,
        ConvTranspose2D(3, kernelSize: 3, stride: 2, outputPadding: padding))
    }
    expectRefusal(
      .invalidAttribute, at: "conv_transpose2d", expected: "no output padding with padding same", found: "(1, 1)",
      image,
      ConvTranspose2D(3, kernelSize: 3, stride: 2, padding: .same, outputPadding: 1))
  }

  /// More padding than the transposed convolution is large leaves nothing.
  @Test func aTransposedConvolutionOfNothing() {
    expectRefusal(
      .shapeMismatch, at: "conv_transpose2d", expected: "", found: "", [2, 2, 4],
      ConvTranspose2D(3, kernelSize: 1, padding: .explicit(4)))
  }

  @Test(arguments: [1, -0.1, 1.5, .nan, .infinity])
  func dropoutProbabilities(_ probability: Double) {
    expectRefusal(
      .invalidAttribute, at: "dropout", expected: "a probability in 0..<1", found: "\(probability)", [4],
      Dropout(probability))
  }

  @Test(arguments: [0, -1, .nan, .infinity])
  func slopes(_ slope: Double) {
    expectRefusal(
      .invalidAttribute, at: "leaky_relu.activation", expected: "a finite slope above 0", found: "\(slope)", [4],
      LeakyReLU(slope: slope))
  }

  @Test func reshapes() {
    expectRefusal(
      .shapeMismatch, at: "reshape", expected: "a shape of 512 elements", found: "[2, 255]", image, Reshape([255]))
    expectRefusal(.invalidShape, at: "reshape", expected: "sizes of 0 or more", found: "[2, -1]", image, Reshape([-1]))
    expectRefusal(.invalidShape, at: "reshape", expected: "elements", found: "", image, Reshape([Int.max, 4]))
    expectRefusal(
      .invalidShape, at: "reshape", expected: "a rank of 0 to 8", found: "9", image,
      Reshape([256, 1, 1, 1, 1, 1, 1, 1]))
  }

  @Test func batchNormalization() {
    expectError(
      .shapeMismatch, at: "batch_norm2d", expected: "at least 2 values a channel", found: "1 in [1, 1, 1, 4]"
    ) {
      _ = try BatchNorm2D().graph(batch: 1, mode: .training, inputShape: [1, 1, 4])
    }
    for epsilon in [-1e-5, .nan, .infinity] {
      expectRefusal(
        .invalidAttribute, at: "batch_norm2d", expected: "a finite epsilon of 0 or more", found: "\(epsilon)", image,
        BatchNorm2D(epsilon: epsilon))
    }
    for momentum in [-0.1, 1.1, .nan] {
      expectError(
        .invalidAttribute, at: "batch_norm2d", expected: "0...1", found: "\(momentum)"
      ) {
        _ = try BatchNorm2D(momentum: momentum).graph(batch: 2, mode: .training, inputShape: image)
      }
    }
  }

  @Test func emptyImages() {
    expectRefusal(
      .invalidAttribute, at: "global_average_pool2d", expected: "a kernel of 1", found: "0", [0, 8, 4],
      GlobalAveragePool2D())
    expectRefusal(
      .shapeMismatch, at: "conv2d", expected: "at least 3 padded rows", found: "0", [0, 8, 4], Conv2D(3, kernelSize: 3))
    expectRefusal(.shapeMismatch, at: "softmax.softmax", expected: "1 or more", found: "[2, 0]", [0], Softmax())
  }

  @Test func residualsKeepTheShape() {
    expectRefusal(
      .shapeMismatch, at: "residual", expected: "[2, 8, 8, 4]", found: "[2, 6, 6, 4]", image,
      Residual { Conv2D(4, kernelSize: 3) })
  }

  @Test func concatenatedImagesAreAlike() {
    expectRefusal(
      .shapeMismatch, at: "concatenate", expected: "operand 1 as [2, 8, 8, 3]", found: "[2, 6, 6, 3]", image,
      Concatenate {
        Identity()
        Conv2D(3, kernelSize: 3)
      })
    expectRefusal(
      .shapeMismatch, at: "concatenate", expected: "1 operand or more", found: "none", image, Concatenate {})
    expectError(.shapeMismatch, at: "scalars", expected: "rank 1 or more", found: "[]") {
      var graph = Graph()
      let x = try graph.addInput("x", TensorType(.scalar))
      _ = try graph.apply(ConcatenateOperation(), x, x, name: "scalars")
    }
    // A tensor of no elements may have any number of channels.
    expectError(.invalidShape, at: "sum", expected: "channels", found: "more") {
      var graph = Graph()
      let x = try graph.addInput("x", TensorType([0, .max / 2]))
      _ = try graph.apply(ConcatenateOperation(), x, x, x, name: "sum")
    }
  }

  @Test func slicesLieInTheChannels() {
    for channels in [-1..<2, 2..<5, 5..<6] {
      expectError(.invalidAttribute, at: "slice", expected: "channels in 0..<4", found: "\(channels)") {
        var graph = Graph()
        let x = try graph.addInput("x", TensorType([3, 4]))
        _ = try graph.apply(ChannelSlice(channels: channels), x, name: "slice")
      }
    }
  }

  @Test func adaptivePoolingNeedsAGridThatDividesTheImage() {
    for size in [Size2D(3), Size2D(y: 16, x: 8), Size2D(y: 8, x: 5)] {
      expectRefusal(
        .unsupported, at: "adaptive_average_pool2d", expected: "a grid of \(size)", found: "[2, 8, 8, 4]", image,
        AdaptiveAveragePool2D(size))
    }
    expectRefusal(
      .invalidAttribute, at: "adaptive_average_pool2d", expected: "a size of 1", found: "(0, 1)", image,
      AdaptiveAveragePool2D(Size2D(y: 0, x: 1)))
  }

  @Test func clippingNeedsALowerAndAnUpperBound() {
    for (lower, upper) in [(1.0, 1.0), (2, 1), (.nan, 1), (0, .nan)] {
      expectRefusal(
        .invalidAttribute, at: "dense.activation", expected: "a lower bound below the upper",
        found: "\(lower) and \(upper)", [3], Dense(2, activation: .clip(lower: lower, upper: upper)))
    }
  }

  @Test func inputs() {
    expectError(.notFound, at: "model", expected: "an input shape", found: "none") {
      _ = try Dense(3).graph(batch: 1)
    }
    expectError(.invalidShape, at: "input input", expected: "0 or more", found: "[-1, 4]") {
      _ = try Dense(3).graph(batch: -1, inputShape: [4])
    }
    expectError(
      .elementTypeMismatch, at: "dense", expected: "a floating-point type", found: "int32"
    ) {
      _ = try Dense(3).graph(batch: 1, inputShape: [4], element: .int32)
    }
  }
}
