import Tessera

extension Network {
  /// For digits in 28 x 28; 61,706 parameters. Source: LeCun et al., "Gradient-based learning applied to document
  /// recognition" (1998), with all maps connected, and a softmax at the end.
  static let leNet5 = Network(
    name: "lenet5", summary: "two convolutions and three dense layers for MNIST", inputShape: [28, 28, 1], classes: 10,
    model: Sequential(inputShape: [28, 28, 1]) {
      Conv2D(6, kernelSize: 5, padding: .half, activation: .tanh, name: "conv1")
      AveragePool2D(2)
      Conv2D(16, kernelSize: 5, activation: .tanh, name: "conv2")
      AveragePool2D(2)
      Flatten()
      Dense(120, activation: .tanh, name: "fc1")
      Dense(84, activation: .tanh, name: "fc2")
      Dense(10, activation: .softmax, name: "fc3")
    })
}
