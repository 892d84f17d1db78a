import Tessera

// Networks for small images.

extension Network {
  /// For the embedded 8 x 8 digits.
  static let digitsCNN = Network(
    name: "digits_cnn", summary: "two convolutions for the embedded 8x8 digits",
    inputShape: [8, 8, 1], classes: 10,
    model: Sequential(inputShape: [8, 8, 1]) {
      Conv2D(32, kernelSize: 3, padding: .half, activation: .relu)
      Conv2D(64, kernelSize: 3, padding: .half, activation: .relu)
      MaxPool2D(2)
      Dropout(0.25)
      Flatten()
      Dense(10, activation: .softmax)
    })

  /// The network of the course that the project began with.
  static let mnistCNN = Network(
    name: "mnist_cnn", summary: "two convolutions for MNIST, 64 and 32 filters",
    inputShape: [28, 28, 1], classes: 10,
    model: Sequential {
      Conv2D(64, kernelSize: 3, activation: .relu, inputShape: [28, 28, 1])
      MaxPool2D(2)
      Conv2D(32, kernelSize: 3, activation: .relu)
      MaxPool2D(2)
      Dropout(0.25)
      Flatten()
      Dense(10, activation: .softmax)
    })

  /// For CIFAR-10 on few cores.
  static let cifarCNN = Network(
    name: "cifar_cnn", summary: "three normalized convolutions for CIFAR-10",
    inputShape: [32, 32, 3], classes: 10,
    model: Sequential(inputShape: [32, 32, 3]) {
      for filters in [32, 64, 128] {
        Conv2D(filters, kernelSize: 3, padding: .half, useBias: false, initializer: .he)
        BatchNorm2D()
        ReLU()
        MaxPool2D(2)
      }
      Dropout(0.25)
      Flatten()
      Dense(10, activation: .softmax)
    })

  /// Six convolutions in the manner of VGG. Source: Simonyan and Zisserman (2015), scaled down to 32 x 32 images.
  static let cifarVGG = Network(
    name: "cifar_vgg", summary: "six convolutions in the manner of VGG for CIFAR-10",
    inputShape: [32, 32, 3], classes: 10,
    model: Sequential(inputShape: [32, 32, 3]) {
      for filters in [64, 128, 256] {
        Conv2D(filters, kernelSize: 3, padding: .half, activation: .relu, initializer: .he)
        Conv2D(filters, kernelSize: 3, padding: .half, activation: .relu, initializer: .he)
        MaxPool2D(2)
      }
      Flatten()
      Dense(256, activation: .relu, initializer: .he)
      Dropout(0.5)
      Dense(10, activation: .softmax)
    })
}
