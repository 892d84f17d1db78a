package import Tessera

extension Network {
  /// 3.5 million parameters; names and shapes are those of torchvision's `mobilenet_v2` (``TorchLayout``).
  public static func mobileNetV2(classes: Int = 1000) -> Network {
    Network(
      name: "mobilenet_v2", summary: "depthwise convolutions in inverted residuals", inputShape: imageNetShape,
      classes: classes, model: MobileNetV2().model(classes: classes, inputShape: imageNetShape))
  }
}

/// Inverted residuals with linear bottlenecks. Source: Sandler et al., "MobileNetV2" (2018).
package struct MobileNetV2 {
  /// Expansion, filters, blocks and the stride of the first block, for each kind of block.
  private static let stages = [
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
  ]

  /// By which all widths are divided, for tests.
  private let divisor: Int
  private let dropout: Double

  package init(divisor: Int = 1, dropout: Double = 0.2) { (self.divisor, self.dropout) = (divisor, dropout) }

  package func model(classes: Int, inputShape: Shape) -> Sequential {
    var channels = 32 / divisor
    var features: [any Layer] = [convolution(channels, kernelSize: 3, stride: 2, name: "0")]
    for (expansion, filters, blocks, stride) in Self.stages {
      for block in 0..<blocks {
        features.append(
          self.block(
            from: channels, to: filters / divisor, expansion: expansion, stride: Size2D(block == 0 ? stride : 1),
            name: "\(features.count)"))
        channels = filters / divisor
      }
    }
    features.append(convolution(1280 / divisor, kernelSize: 1, name: "\(features.count)"))
    return Sequential(inputShape: inputShape) {
      Sequential(features, name: "features")
      GlobalAveragePool2D()
      Sequential(name: "classifier") {
        Dropout(dropout, name: "0")
        Dense(classes, activation: .softmax, initializer: .normal(deviation: 0.01), name: "1")
      }
    }
  }

  /// Expansion, depthwise convolution and projection; beside them a shortcut, where they keep the shape.
  private func block(from channels: Int, to filters: Int, expansion: Int, stride: Size2D, name: String) -> any Layer {
    let width = channels * expansion
    let first = expansion > 1 ? 1 : 0
    let convolutions = Sequential(name: "conv") {
      if expansion > 1 { convolution(width, kernelSize: 1, name: "0") }
      convolution(width, kernelSize: 3, stride: stride, groups: width, name: "\(first)")
      Conv2D(filters, kernelSize: 1, useBias: false, initializer: .he, name: "\(first + 1)")
      BatchNorm2D(name: "\(first + 2)")
    }
    return stride == 1 && channels == filters
      ? Residual(name: name) { convolutions } : Sequential([convolutions], name: name)
  }

  private func convolution(_ filters: Int, kernelSize: Size2D, stride: Size2D = 1, groups: Int = 1, name: String)
    -> Sequential
  {
    Sequential(name: name) {
      Conv2D(
        filters, kernelSize: kernelSize, stride: stride, groups: groups, padding: .half, useBias: false,
        initializer: .he, name: "0")
      BatchNorm2D(name: "1")
      ReLU6()
    }
  }
}
