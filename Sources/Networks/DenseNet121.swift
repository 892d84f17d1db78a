package import Tessera

extension Network {
  /// 8 million parameters; names and shapes are those of torchvision's `densenet121` (``TorchLayout``).
  public static func denseNet121(classes: Int = 1000) -> Network {
    Network(
      name: "densenet121", summary: "convolutions that read all before them", inputShape: imageNetShape,
      classes: classes, model: DenseNet121().model(classes: classes, inputShape: imageNetShape))
  }
}

/// Blocks in which each layer reads what all layers before it gave. Source: Huang et al., "Densely connected
/// convolutional networks" (2017).
package struct DenseNet121 {
  /// Channels that a layer adds.
  private let growth: Int

  package init(growth: Int = 32) { self.growth = growth }

  package func model(classes: Int, inputShape: Shape) -> Sequential {
    var channels = 2 * growth
    var features: [any Layer] = [
      Conv2D(channels, kernelSize: 7, stride: 2, padding: .half, useBias: false, initializer: .he, name: "conv0"),
      BatchNorm2D(name: "norm0"), ReLU(name: "relu0"), MaxPool2D(3, stride: 2, padding: .half, name: "pool0"),
    ]
    let blocks = [6, 12, 24, 16]
    for (index, layers) in blocks.enumerated() {
      features.append(
        Sequential((1...layers).map { layer(name: "denselayer\($0)") }, name: "denseblock\(index + 1)"))
      channels += layers * growth
      if index < blocks.count - 1 {
        channels /= 2
        features.append(transition(to: channels, name: "transition\(index + 1)"))
      }
    }
    features.append(BatchNorm2D(name: "norm5"))
    return Sequential(inputShape: inputShape) {
      Sequential(features, name: "features")
      ReLU()
      GlobalAveragePool2D()
      Dense(classes, activation: .softmax, initializer: .inverseFanIn, name: "classifier")
    }
  }

  private func layer(name: String) -> any Layer {
    Concatenate {
      Identity()
      Sequential(name: name) {
        BatchNorm2D(name: "norm1")
        ReLU()
        Conv2D(4 * growth, kernelSize: 1, useBias: false, initializer: .he, name: "conv1")
        BatchNorm2D(name: "norm2")
        ReLU()
        Conv2D(growth, kernelSize: 3, padding: .half, useBias: false, initializer: .he, name: "conv2")
      }
    }
  }

  private func transition(to channels: Int, name: String) -> Sequential {
    Sequential(name: name) {
      BatchNorm2D(name: "norm")
      ReLU()
      Conv2D(channels, kernelSize: 1, useBias: false, initializer: .he, name: "conv")
      AveragePool2D(2)
    }
  }
}
