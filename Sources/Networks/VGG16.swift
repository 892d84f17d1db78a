package import Tessera

extension Network {
  /// 138 million parameters; names and shapes are those of torchvision's `vgg16` (``TorchLayout``).
  public static func vgg16(classes: Int = 1000) -> Network {
    Network(
      name: "vgg16", summary: "thirteen convolutions and three dense layers", inputShape: imageNetShape,
      classes: classes, model: VGG16().model(classes: classes, inputShape: imageNetShape))
  }
}

/// Stacks of 3 x 3 convolutions. Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
/// recognition" (2015), configuration D.
package struct VGG16 {
  /// By which all widths are divided, for tests.
  private let divisor: Int
  private let dropout: Double

  package init(divisor: Int = 1, dropout: Double = 0.5) { (self.divisor, self.dropout) = (divisor, dropout) }

  package func model(classes: Int, inputShape: Shape) -> Sequential {
    // Numbered as by torchvision, for which activations and poolings are layers too.
    var features: [any Layer] = []
    var number = 0
    // He's deviation, by the outputs that an input feeds and not by the inputs of an output, as torchvision has it.
    for (convolutions, filters) in [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)] {
      for _ in 0..<convolutions {
        features.append(
          Conv2D(
            filters / divisor, kernelSize: 3, padding: .half, activation: .relu,
            initializer: .normal(deviation: (2 / Double(9 * filters / divisor)).squareRoot()), name: "\(number)"))
        number += 2
      }
      features.append(MaxPool2D(2, name: "\(number)"))
      number += 1
    }
    return Sequential(inputShape: inputShape) {
      Sequential(features, name: "features")
      AdaptiveAveragePool2D(7)
      Flatten()
      Sequential(name: "classifier") {
        Dense(4096 / divisor, activation: .relu, initializer: .normal(deviation: 0.01), name: "0")
        Dropout(dropout, name: "2")
        Dense(4096 / divisor, activation: .relu, initializer: .normal(deviation: 0.01), name: "3")
        Dropout(dropout, name: "5")
        Dense(classes, activation: .softmax, initializer: .normal(deviation: 0.01), name: "6")
      }
    }
  }
}
