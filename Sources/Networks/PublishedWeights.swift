public import Tessera
public import TesseraFormats

// Weights as PyTorch and torchvision publish them: by their names, in their layouts.

extension ParameterStore {
  /// Sets a model's weights and running statistics to those of a file that has torchvision's names and shapes. Numbers of
  /// 16 and 64 bits are converted.
  ///
  ///     let weights = try SafetensorsFile(path: "resnet18.safetensors")
  ///     try store.load(weights, for: Network.resNet18().model)
  ///
  /// - Parameters:
  ///   - inputShape: of one example; nil: the model's own.
  ///   - layers: names of layers that keep their values, whatever the file says of them: `["fc"]` for a `resnet18` of
  ///     other classes.
  /// - Throws: ``TesseraError/Code/invalidFile`` that lists every parameter that is missing, unexpected or of another
  ///   shape; ``TesseraError/Code/notFound`` for a layer that the model doesn't have. Nothing was set then.
  public func load(
    _ file: SafetensorsFile, for model: some Layer, inputShape: Shape? = nil, except layers: [String] = []
  ) throws(TesseraError) {
    let layouts = try model.torchLayouts(inputShape: inputShape)
    func isLeftOut(_ name: String) -> Bool { layers.contains { name.hasPrefix($0 + ".") } }
    if let unknown = layers.first(where: { layer in !layouts.keys.contains { $0.hasPrefix(layer + ".") } }) {
      throw TesseraError(.notFound, at: "layers", expected: "layers of the model", found: "\"\(unknown)\"")
    }
    let wanted = layouts.filter { !isLeftOut($0.key) }
    let found = file.entries.filter { entry in
      // A count of steps that normalizations without momentum would need.
      !entry.name.hasSuffix("num_batches_tracked") && !isLeftOut(entry.name)
    }
    try ParameterComparison.require(
      wanted.mapValues { "\($0.shape)" },
      in: Dictionary(found.map { ($0.name, "\($0.shape)") }, uniquingKeysWith: { first, _ in first }), of: file.name)
    try add(model.graph(batch: 1, inputShape: inputShape))
    var values: [String: Tensor] = [:]
    for (name, layout) in wanted {
      values[name] =
        variable(named: name)?.type.element == .float64
        ? try layout.stored(file.tensor(named: name, as: .float64), Double.self)
        : try layout.stored(file.tensor(named: name, as: .float32), Float.self)
    }
    try set(values)
  }

  /// A model's weights and running statistics as PyTorch would publish them, for ``SafetensorsFile/write(_:metadata:to:)``.
  /// - Parameter inputShape: of one example; nil: the model's own.
  /// - Throws: ``TesseraError/Code/notFound`` if the store doesn't hold the model's parameters.
  public func published(_ model: some Layer, inputShape: Shape? = nil) throws(TesseraError) -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for (name, layout) in try model.torchLayouts(inputShape: inputShape).sorted(by: { $0.key < $1.key }) {
      guard let tensor = try self[name] else {
        throw TesseraError(.notFound, at: name, expected: "a parameter of the model in the store", found: "none")
      }
      tensors[name] =
        tensor.type.element == .float64
        ? try layout.published(tensor, Double.self) : try layout.published(tensor, Float.self)
    }
    return tensors
  }
}
