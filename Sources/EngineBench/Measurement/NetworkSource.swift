import ArgumentParser
import Tessera
import TesseraNetworks
import TesseraONNX

/// A network as a command line names it: one of the catalogue, with random weights, or an ONNX model with its own.
struct NetworkSource {
  let network: Network
  /// Values by the names that the store has for them, of an imported model.
  let parameters: [String: Tensor]

  /// A network with random weights.
  init(_ network: Network) { self.init(network, [:]) }

  /// - Throws: ``TesseraError`` if there is no such network, or the model can't be read or leaves sizes of its input open.
  init(_ name: String) throws(TesseraError) {
    guard Self.isModel(name) else {
      self.init(try NetworkCatalogue.network(named: name))
      return
    }
    let layer = try ONNXLayer(ONNXModel(path: name))
    guard let inputShape = layer.inputShape else {
      throw TesseraError(
        .notFound, at: name, expected: "a model that states all sizes of its input but the batch", found: "open ones")
    }
    let model = Sequential([layer])
    let graph = try model.graph(batch: 1)
    let classes = graph.outputs.first.flatMap { graph.shape(of: $0.value).dimensions.last } ?? 1
    let network = Network(
      name: name, summary: "an ONNX model", inputShape: inputShape, classes: max(1, classes), model: model)
    self.init(network, try layer.parameters())
  }

  private init(_ network: Network, _ parameters: [String: Tensor]) {
    (self.network, self.parameters) = (network, parameters)
  }

  /// The catalogue's, or the model's path.
  var name: String { network.name }

  /// Refuses names that are in no catalogue before anything is measured; whether a file is a model shows when it is read.
  static func validate(_ name: String) throws(ValidationError) {
    guard !isModel(name) else { return }
    do throws(TesseraError) {
      _ = try NetworkCatalogue.network(named: name)
    } catch {
      throw ValidationError("\(error)")
    }
  }

  private static func isModel(_ name: String) -> Bool { name.hasSuffix(".onnx") }
}

extension Network {
  /// What is compiled to measure it: inference, or a step of SGD with momentum on the mean cross-entropy.
  func graph(batch: Int, mode: NetworkMode) throws(TesseraError) -> Graph {
    switch mode {
    case .inference: try model.graph(batch: batch)
    case .training:
      try TrainingGraph.build(
        model: model, batch: batch, loss: .softmaxCrossEntropy(), optimizer: .sgd(momentum: 0.9))
    }
  }
}
