package import Tessera

extension Network {
  /// 18 layers, 11.7 million parameters; names and shapes are those of torchvision's `resnet18` (``TorchLayout``).
  public static func resNet18(classes: Int = 1000) -> Network {
    resNet("resnet18", "residual network of 18 layers", ResNet(blocks: [2, 2, 2, 2], isBottleneck: false), classes)
  }

  /// 34 layers, 21.8 million parameters; torchvision's `resnet34`.
  public static func resNet34(classes: Int = 1000) -> Network {
    resNet("resnet34", "residual network of 34 layers", ResNet(blocks: [3, 4, 6, 3], isBottleneck: false), classes)
  }

  /// 50 layers, 25.6 million parameters; torchvision's `resnet50`, whose 3 x 3 convolutions have the strides.
  public static func resNet50(classes: Int = 1000) -> Network {
    resNet("resnet50", "residual network of 50 layers", ResNet(blocks: [3, 4, 6, 3], isBottleneck: true), classes)
  }

  private static func resNet(_ name: String, _ summary: String, _ network: ResNet, _ classes: Int) -> Network {
    Network(
      name: name, summary: summary, inputShape: imageNetShape, classes: classes,
      model: network.model(classes: classes, inputShape: imageNetShape))
  }
}

/// Residual networks. Source: He et al., "Deep residual learning for image recognition" (2016).
package struct ResNet {
  /// Of each of the four stages.
  package let blocks: [Int]
  /// Whether a block is 1 x 1, 3 x 3, 1 x 1 with four times the channels at its end, or 3 x 3 twice.
  package let isBottleneck: Bool
  /// Channels of the first stage; each further one has twice as many.
  package let width: Int

  package init(blocks: [Int], isBottleneck: Bool, width: Int = 64) {
    (self.blocks, self.isBottleneck, self.width) = (blocks, isBottleneck, width)
  }

  package func model(classes: Int, inputShape: Shape) -> Sequential {
    Sequential(inputShape: inputShape) {
      Conv2D(width, kernelSize: 7, stride: 2, padding: .half, useBias: false, initializer: .he, name: "conv1")
      BatchNorm2D(name: "bn1")
      ReLU()
      MaxPool2D(3, stride: 2, padding: .half)
      for stage in blocks.indices {
        Sequential(name: "layer\(stage + 1)") {
          for block in 0..<blocks[stage] {
            self.block(
              name: "\(block)", width: width << stage, stride: stage > 0 && block == 0 ? 2 : 1,
              changesShape: block == 0 && (stage > 0 || isBottleneck))
          }
        }
      }
      GlobalAveragePool2D()
      Dense(classes, activation: .softmax, initializer: .inverseFanIn, name: "fc")
    }
  }

  private func block(name: String, width: Int, stride: Size2D, changesShape: Bool) -> Residual {
    let filters = isBottleneck ? 4 * width : width
    return Residual(activation: .relu, name: name) {
      if isBottleneck {
        Conv2D(width, kernelSize: 1, useBias: false, initializer: .he, name: "conv1")
        BatchNorm2D(name: "bn1")
        ReLU()
      }
      let (first, last) = isBottleneck ? (2, 3) : (1, 2)
      Conv2D(
        width, kernelSize: 3, stride: stride, padding: .half, useBias: false, initializer: .he, name: "conv\(first)")
      BatchNorm2D(name: "bn\(first)")
      ReLU()
      Conv2D(
        filters, kernelSize: isBottleneck ? 1 : 3, padding: .half, useBias: false, initializer: .he,
        name: "conv\(last)")
      BatchNorm2D(name: "bn\(last)")
    } shortcut: {
      if changesShape {
        Sequential(name: "downsample") {
          Conv2D(filters, kernelSize: 1, stride: stride, useBias: false, initializer: .he, name: "0")
          BatchNorm2D(name: "1")
        }
      }
    }
  }
}
