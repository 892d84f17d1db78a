package import Tessera

extension Network {
  /// 1.25 million parameters; names and shapes are those of torchvision's `squeezenet1_0` (``TorchLayout``).
  public static func squeezeNet1_0(classes: Int = 1000) -> Network {
    Network(
      name: "squeezenet1_0", summary: "fire modules behind a 7x7 convolution", inputShape: imageNetShape,
      classes: classes, model: SqueezeNet(.v1_0).model(classes: classes, inputShape: imageNetShape))
  }

  /// 1.24 million parameters and less than half the work; torchvision's `squeezenet1_1`.
  public static func squeezeNet1_1(classes: Int = 1000) -> Network {
    Network(
      name: "squeezenet1_1", summary: "fire modules behind a 3x3 convolution", inputShape: imageNetShape,
      classes: classes, model: SqueezeNet(.v1_1).model(classes: classes, inputShape: imageNetShape))
  }
}

/// Fire modules: 1 x 1 convolutions to few channels, then 1 x 1 and 3 x 3 side by side. Source: Iandola et al.,
/// "SqueezeNet" (2016).
package struct SqueezeNet {
  package enum Version { case v1_0, v1_1 }

  private let version: Version
  /// By which all widths are divided, for tests.
  private let divisor: Int
  private let dropout: Double

  package init(_ version: Version, divisor: Int = 1, dropout: Double = 0.5) {
    (self.version, self.divisor, self.dropout) = (version, divisor, dropout)
  }

  package func model(classes: Int, inputShape: Shape) -> Sequential {
    // Where fire modules follow one another, and poolings stand between them.
    let (filters, kernelSize, runs) =
      switch version {
      case .v1_0: (96, Size2D(7), [3, 4, 1])
      case .v1_1: (64, Size2D(3), [2, 2, 4])
      }
    var features: [any Layer] = [
      Conv2D(filters / divisor, kernelSize: kernelSize, stride: 2, activation: .relu, initializer: .he, name: "0")
    ]
    // Numbered as by torchvision, for which the activation is a layer.
    var number = 2
    var squeezes = [16, 16, 32, 32, 48, 48, 64, 64][...]
    for run in runs {
      // An output more where the last window would stand partly on the image.
      features.append(
        MaxPool2D(3, stride: 2, padding: .explicit(top: 0, left: 0, bottom: 1, right: 1), name: "\(number)"))
      for _ in 0..<run {
        number += 1
        features.append(fire(squeeze: (squeezes.popFirst() ?? 0) / divisor, name: "\(number)"))
      }
      number += 1
    }
    return Sequential(inputShape: inputShape) {
      Sequential(features, name: "features")
      Sequential(name: "classifier") {
        Dropout(dropout, name: "0")
        Conv2D(classes, kernelSize: 1, activation: .relu, initializer: .normal(deviation: 0.01), name: "1")
      }
      GlobalAveragePool2D()
      Softmax()
    }
  }

  private func fire(squeeze: Int, name: String) -> Sequential {
    Sequential(name: name) {
      Conv2D(squeeze, kernelSize: 1, activation: .relu, initializer: .he, name: "squeeze")
      Concatenate {
        Conv2D(4 * squeeze, kernelSize: 1, activation: .relu, initializer: .he, name: "expand1x1")
        Conv2D(4 * squeeze, kernelSize: 3, padding: .half, activation: .relu, initializer: .he, name: "expand3x3")
      }
    }
  }
}
