package import Tessera

extension Network {
  /// 61 million parameters; names and shapes are those of torchvision's `alexnet` (``TorchLayout``).
  public static func alexNet(classes: Int = 1000) -> Network {
    Network(
      name: "alexnet", summary: "five convolutions and three dense layers", inputShape: imageNetShape,
      classes: classes, model: AlexNet().model(classes: classes, inputShape: imageNetShape))
  }
}

/// Source: Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014).
package struct AlexNet {
  /// By which all widths are divided, for tests.
  private let divisor: Int
  private let dropout: Double

  package init(divisor: Int = 1, dropout: Double = 0.5) { (self.divisor, self.dropout) = (divisor, dropout) }

  package func model(classes: Int, inputShape: Shape) -> Sequential {
    Sequential(inputShape: inputShape) {
      Sequential(name: "features") {
        convolution(64, kernelSize: 11, stride: 4, padding: 2, name: "0")
        MaxPool2D(3, stride: 2, name: "2")
        convolution(192, kernelSize: 5, padding: 2, name: "3")
        MaxPool2D(3, stride: 2, name: "5")
        convolution(384, kernelSize: 3, padding: 1, name: "6")
        convolution(256, kernelSize: 3, padding: 1, name: "8")
        convolution(256, kernelSize: 3, padding: 1, name: "10")
        MaxPool2D(3, stride: 2, name: "12")
      }
      AdaptiveAveragePool2D(6)
      Flatten()
      Sequential(name: "classifier") {
        Dropout(dropout, name: "0")
        Dense(4096 / divisor, activation: .relu, initializer: .inverseFanIn, name: "1")
        Dropout(dropout, name: "3")
        Dense(4096 / divisor, activation: .relu, initializer: .inverseFanIn, name: "4")
        Dense(classes, activation: .softmax, initializer: .inverseFanIn, name: "6")
      }
    }
  }

  private func convolution(_ filters: Int, kernelSize: Size2D, stride: Size2D = 1, padding: Int, name: String) -> Conv2D
  {
    Conv2D(
      filters / divisor, kernelSize: kernelSize, stride: stride,
      padding: .explicit(top: padding, left: padding, bottom: padding, right: padding), activation: .relu,
      initializer: .inverseFanIn, name: name)
  }
}
