/// Whether a model is built to learn or to be used.
public struct ModelMode: Hashable, Sendable {
  private let isTraining: Bool

  /// Dropout drops; batch normalization uses the batch's statistics and updates the running ones.
  public static let training = ModelMode(isTraining: true)
  /// Dropout does nothing; batch normalization uses the running statistics.
  public static let inference = ModelMode(isTraining: false)
}

/// What layers build into: a graph, and the names of the place they are at.
///
/// A layer's parameters are named after its path, as in `block1.conv2d.weight`. Layers without a name get one from
/// their kind and their order among their siblings, the same in every mode and for every batch size.
public final class ModelBuilder {
  /// What was built so far.
  public var graph = Graph()
  /// Whether the model is built to learn or to be used.
  public let mode: ModelMode
  /// The type of images, weights and everything computed from them.
  public let element: ElementType

  /// Paths of the layers that have nodes of their own, in the order of the graph. Names of nodes begin with their
  /// layer's.
  public private(set) var layerNames: [String] = []

  private var path: [String] = []
  /// How many layers of each kind were named automatically, by path.
  private var kindCounts: [String: Int] = [:]
  private var usedPaths: Set<String> = []
  /// The paths that belong to shared layers.
  private var sharedPaths: Set<String> = []

  /// Whether random masks follow from the number of micro-batches so far, of which a step has several.
  private let countsMicroBatches: Bool

  /// An empty graph to build into.
  public convenience init(mode: ModelMode, element: ElementType = .float32) {
    self.init(mode: mode, element: element, countsMicroBatches: false)
  }

  init(mode: ModelMode, element: ElementType, countsMicroBatches: Bool) {
    self.mode = mode
    self.element = element
    self.countsMicroBatches = countsMicroBatches
  }

  /// The full name of a thing of the current layer.
  public func name(_ suffix: String? = nil) -> String {
    (path + (suffix.map { [$0] } ?? [])).joined(separator: ".")
  }

  // MARK: Names

  /// Runs `body` one level deeper.
  /// - Parameters:
  ///   - name: the level's name; nil: from `kind` and order (`conv2d`, `conv2d_1`, ...).
  /// - Throws: ``TesseraError/Code/duplicateName`` if a name was given twice at this place.
  public func scope<Result>(
    _ name: String?, kind: String, _ body: () throws(TesseraError) -> Result
  ) throws(TesseraError) -> Result {
    path.append(name ?? automaticName(kind))
    defer { path.removeLast() }
    let full = self.name()
    guard usedPaths.insert(full).inserted else {
      throw TesseraError(
        .duplicateName, at: full, expected: "a name for each layer, or Shared around both uses",
        found: "two layers by this name")
    }
    return try body()
  }

  /// Runs `body` one level deeper, under names that an earlier application of the shared layer may have taken: names at
  /// and below this level begin anew, so that the same layers find the same parameters.
  func sharing<Result>(
    _ name: String, _ body: () throws(TesseraError) -> Result
  ) throws(TesseraError) -> Result {
    let shared = self.name(name)
    if !sharedPaths.insert(shared).inserted {
      usedPaths = usedPaths.filter { $0 != shared && !$0.hasPrefix(shared + ".") }
      kindCounts = kindCounts.filter { !$0.key.hasPrefix(shared + "/") && !$0.key.hasPrefix(shared + ".") }
    }
    return try scope(name, kind: "shared", body)
  }

  private func automaticName(_ kind: String) -> String {
    let key = "\(name())/\(kind)"
    let count = kindCounts[key, default: 0]
    kindCounts[key] = count + 1
    return count == 0 ? kind : "\(kind)_\(count)"
  }

  // MARK: Values

  /// The model's input, named "input".
  public func input(of model: some Layer, inputShape: Shape?, batch: Int) throws(TesseraError)
    -> Value
  {
    guard let shape = inputShape ?? model.inputShape else {
      throw TesseraError(
        .notFound, at: "model", expected: "an input shape, given or the first layer's",
        found: "none")
    }
    return try graph.addInput("input", TensorType(Shape([batch] + shape.dimensions), element))
  }

  /// A weight of the current layer.
  public func parameter(
    _ name: String, shape: Shape, initializer: Initializer, isTrainable: Bool = true,
    group: String = Variable.defaultGroup
  ) throws(TesseraError) -> Value {
    try graph.addVariable(
      Variable(
        name: self.name(name), type: TensorType(shape, element), initializer: initializer,
        isTrainable: isTrainable, group: group))
  }

  /// State of the current layer that no optimizer touches.
  public func statistic(_ name: String, shape: Shape, initializer: Initializer)
    throws(TesseraError) -> Value
  {
    try graph.addVariable(
      Variable(
        name: self.name(name), type: TensorType(shape, element), role: .statistic,
        initializer: initializer, isTrainable: false))
  }

  /// The seed of random masks, from the store.
  public func seed() throws(TesseraError) -> Value { try graph.addVariable(Self.seedVariable) }

  /// The number of steps done so far; of micro-batches, where a step is cut into these.
  public func step() throws(TesseraError) -> Value {
    try graph.addVariable(countsMicroBatches ? Self.microBatchVariable : Self.stepVariable)
  }

  package static let seedVariable = Variable(
    name: "seed", type: TensorType(.scalar, .int64), role: .counter, isTrainable: false)
  package static let stepVariable = Variable(
    name: "step", type: TensorType(.scalar, .int64), role: .counter, isTrainable: false)
  static let microBatchVariable = Variable(
    name: "micro_batch", type: TensorType(.scalar, .int64), role: .counter, isTrainable: false)

  /// Applies an operation, named after the current layer, and returns all its results.
  public func add(_ operation: any Operation, _ inputs: [Value], name suffix: String? = nil)
    throws(TesseraError) -> [Value]
  {
    if layerNames.last != name() { layerNames.append(name()) }
    return try graph.add(operation, inputs, name: name(suffix))
  }

  /// The first result of an operation, named after the current layer.
  /// - Throws: ``TesseraError`` if the operation refuses its operands, or has no result.
  public func apply(_ operation: any Operation, _ inputs: [Value], name suffix: String? = nil)
    throws(TesseraError) -> Value
  {
    let outputs = try add(operation, inputs, name: suffix)
    guard let output = outputs.first else {
      throw TesseraError(
        .shapeMismatch, at: name(suffix), expected: "an operation with a result", found: "none")
    }
    return output
  }
}
