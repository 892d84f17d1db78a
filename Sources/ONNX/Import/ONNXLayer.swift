public import TesseraGraph
public import TesseraRuntime

/// A model as a layer, to run it behind others or to train it further.
///
/// Images are [N, H, W, C], as layers have them. In training batch normalization uses and moves the batch's statistics,
/// and dropout drops, whatever the model says of itself. Weights have the model's names below the layer's path; a store
/// gets their values from ``parameters()``.
public struct ONNXLayer: Layer {
  private let model: ONNXModel
  private let input: ONNXModel.Port
  private let output: ONNXModel.Port

  /// Of one example: [H, W, C] for images; nil if the model leaves it open.
  public let inputShape: Shape?

  /// - Throws: ``TesseraError/Code/unsupported`` for a model with other than one input, or without output.
  public init(_ model: ONNXModel) throws(TesseraError) {
    guard model.inputs.count == 1, let input = model.inputs.first, let output = model.outputs.first else {
      throw TesseraError(
        .unsupported, at: model.file, expected: "a model with one input, and an output",
        found: "\(model.inputs.map(\.name)) and \(model.outputs.map(\.name))")
    }
    (self.model, self.input, self.output) = (model, input, output)
    let sizes = input.dimensions?.dropFirst().compactMap { $0 } ?? []
    let isKnown = !sizes.isEmpty && sizes.count + 1 == input.dimensions?.count
    inputShape = isKnown ? Shape(Array(sizes.dropFirst()) + [sizes[0]]) : nil
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    var importer = try model.importer(builder.graph, ImportOptions(), builder: builder)
    let stored = builder.graph.shape(of: x)
    let order = channelsLast(stored.rank)
    guard stored.rank >= 2, input.dimensions.map({ $0.count == stored.rank }) ?? true else {
      throw TesseraError(
        .shapeMismatch, at: "\(model.file): input \(input.name)", expected: "rank \(input.dimensions?.count ?? 2)",
        found: "\(stored)")
    }
    var shape = Array(repeating: 0, count: stored.rank)
    for (place, axis) in order.enumerated() { shape[axis] = stored[place] }
    importer.values[input.name] = Imported(input.name, x, shape: shape, order: order)
    try importer.read(model.proto.graph.node)
    guard let result = importer.values[output.name] else {
      throw TesseraError(
        .invalidFile, at: "\(model.file): output", expected: "a tensor that a node gives", found: "\"\(output.name)\"")
    }
    let value = try result.rank >= 3 ? importer.image(result) : importer.value(result)
    builder.graph = importer.graph
    return value
  }

  /// The weights and statistics by the names that they have in a store, for a layer that isn't within another.
  /// - Parameter inputShape: of one example, as in ``inputShape``; nil: the model's own.
  public func parameters(inputShape: Shape? = nil) throws(TesseraError) -> [String: Tensor] {
    guard let shape = inputShape ?? self.inputShape else {
      throw TesseraError(
        .notFound, at: "\(model.file): input \(input.name)", expected: "an input shape, given or the model's",
        found: "none")
    }
    let sizes = shape.dimensions
    let batch = (input.dimensions?.first ?? nil) ?? 1
    let stated = Shape([batch] + (sizes.last.map { [$0] } ?? []) + sizes.dropLast())
    return try model.imported(ImportOptions(shapes: [input.name: stated])).parameters
  }
}
