/// Which part of a training step a graph is. A step on more images than fit in memory is cut into micro-batches, whose
/// gradients are summed: all but the last accumulate, the last one updates.
public enum StepPart: Hashable, Sendable {
  /// A step on one batch.
  case whole
  /// Adds gradients to their sums; weights stay.
  case accumulation
  /// Adds the last gradients, updates by the sums and makes these zero.
  case update
}

/// Turns a model, or any graph with a loss, into a graph whose run is a whole training step.
public enum TrainingGraph {
  /// The program's input by which a micro-batch's loss is multiplied before gradients are taken: its share of the images
  /// of the step, for a mean over all of them.
  public static let lossWeightName = "loss_weight"

  /// The program's input that is the learning rate of the default parameter group.
  public static let defaultLearningRateName = "learning_rate"

  /// The program's input that is the learning rate of a parameter group.
  public static func learningRateName(group: String) -> String {
    group == Variable.defaultGroup ? defaultLearningRateName : "\(defaultLearningRateName).\(group)"
  }

  /// A training step of a model.
  ///
  /// Inputs "input" ([batch] + inputShape), "target" (labels [batch] int32, [batch, H, W] where each pixel has a class, or
  /// like the output), "learning_rate" and one "learning_rate.GROUP" for each other parameter group. Outputs "loss" and
  /// "output" (class probabilities for cross-entropy). A part of a step has the input "loss_weight", too, and one that only
  /// accumulates no learning rates.
  /// - Parameters:
  ///   - inputShape: of one example; nil: the model's own.
  ///   - part: normalizations see the images of each micro-batch by themselves.
  public static func build(
    model: some Layer, inputShape: Shape? = nil, batch: Int, loss: Loss, optimizer: Optimizer,
    element: ElementType = .float32, part: StepPart = .whole
  ) throws(TesseraError) -> Graph {
    let builder = ModelBuilder(mode: .training, element: element, countsMicroBatches: part != .whole)
    var (graph, lossValue) = try build(model, inputShape: inputShape, batch: batch, loss: loss, in: builder)
    try graph.addTraining(loss: lossValue, optimizer: optimizer, part: part)
    return graph
  }

  /// What judges a model on images that it doesn't learn from: inputs and outputs as of a training step, in inference mode,
  /// without gradients.
  /// - Parameter inputShape: of one example; nil: the model's own.
  public static func evaluation(
    of model: some Layer, inputShape: Shape? = nil, batch: Int, loss: Loss, element: ElementType = .float32
  ) throws(TesseraError) -> Graph {
    let builder = ModelBuilder(mode: .inference, element: element)
    var (graph, lossValue) = try build(model, inputShape: inputShape, batch: batch, loss: loss, in: builder)
    try graph.addOutput("loss", lossValue)
    return graph
  }

  private static func build(
    _ model: some Layer, inputShape: Shape?, batch: Int, loss: Loss, in builder: ModelBuilder
  ) throws(TesseraError) -> (graph: Graph, loss: Value) {
    let input = try builder.input(of: model, inputShape: inputShape, batch: batch)
    let output = try model.build(input, in: builder)
    var graph = builder.graph
    let lossValue: Value
    switch loss.kind {
    case .softmaxCrossEntropy(let reduction, let labelSmoothing):
      let logits = logits(of: output, in: graph)
      let operation = SoftmaxCrossEntropy(reduction: reduction, labelSmoothing: labelSmoothing)
      let (loss, probabilities) = try crossEntropy(logits, operation, batch: batch, in: &graph)
      lossValue = loss
      try graph.addOutput("output", probabilities)
    case .meanSquaredError(let reduction):
      let target = try graph.addInput("target", graph.type(of: output))
      lossValue = try graph.apply(
        MeanSquaredError(reduction: reduction), output, target, name: "loss")
      try graph.addOutput("output", output)
    }
    return (graph, lossValue)
  }

  /// The loss of logits [batch, ..., classes] and the target, labels [batch, ...], and the class probabilities.
  private static func crossEntropy(_ logits: Value, _ operation: SoftmaxCrossEntropy, batch: Int, in graph: inout Graph)
    throws(TesseraError) -> (loss: Value, probabilities: Value)
  {
    let shape = graph.shape(of: logits)
    guard shape.rank > 2 else {
      let target = try graph.addInput("target", TensorType([batch], .int32))
      let results = try graph.add(operation, [logits, target], name: "loss")
      return (results[0], results[1])
    }
    // A row for each pixel.
    let pixels = Shape(shape.dimensions.dropLast())
    let target = try graph.addInput("target", TensorType(pixels, .int32))
    let labels = try graph.apply(ReshapeOperation(shape: [pixels.count]), target, name: "target.rows")
    let rows = try graph.apply(
      ReshapeOperation(shape: [pixels.count, shape[shape.rank - 1]]), logits, name: "logits.rows")
    let results = try graph.add(operation, [rows, labels], name: "loss")
    return (results[0], try graph.apply(ReshapeOperation(shape: shape), results[1], name: "probabilities"))
  }

  /// What goes into a final softmax; the value itself where there is none.
  private static func logits(of output: Value, in graph: Graph) -> Value {
    guard case .node(let index, _) = graph.source(of: output),
      graph.nodes[index].operation is SoftmaxOperation
    else { return output }
    return graph.nodes[index].inputs[0]
  }
}

extension Graph {
  /// Makes a graph with a loss a training step: appends the gradients of all trainable weights, their updates, and the
  /// step counter's; demands that loss, gradients and learning rates be finite. Adds the output "loss" and the learning
  /// rates' inputs.
  /// - Parameter part: other parts than the whole add the input "loss_weight" and sums of gradients.
  /// - Throws: ``TesseraError/Code/notFound`` if no trainable weight influences the loss, or the optimizer names a parameter
  ///   group that no weight is in; ``TesseraError/Code/invalidAttribute`` for a norm to clip to that isn't above 0.
  public mutating func addTraining(loss: Value, optimizer: Optimizer, part: StepPart = .whole) throws(TesseraError) {
    let weights = variables.filter(\.variable.isTrainable)
    let groups = Set(weights.map(\.variable.group))
    if let unknown = optimizer.groups.keys.sorted().first(where: { !groups.contains($0) }) {
      throw TesseraError(
        .notFound, at: "optimizer",
        expected: "a parameter group of the model: \(groups.sorted().joined(separator: ", "))",
        found: "\"\(unknown)\"")
    }
    var objective = loss
    if part != .whole {
      let weight = try addInput(TrainingGraph.lossWeightName, TensorType(.scalar, type(of: loss).element))
      objective = try apply(Multiply(), loss, weight, name: "weighted loss")
    }
    var gradients = try differentiate(objective, withRespectTo: weights.map(\.value))
    guard gradients.contains(where: { $0 != nil }) else {
      throw TesseraError(
        .notFound, at: name(of: loss), expected: "a trainable weight that influences the loss",
        found: "none of \(weights.count)")
    }
    try addOutput("loss", loss)
    try requireFinite(loss)
    if part != .whole {
      if let counter = variables.first(where: { $0.variable == ModelBuilder.microBatchVariable }) {
        try addUpdate(of: counter.value, to: try apply(Increment(), counter.value, name: "micro_batch.update"))
      }
      try sum(&gradients, of: weights, part)
      if part == .accumulation { return }
    }
    for gradient in gradients { if let gradient { try requireFinite(gradient) } }
    if let norm = optimizer.largestNorm { try clip(&gradients, toNorm: norm) }
    let step = try addVariable(ModelBuilder.stepVariable)
    var rates: [String: Value] = [:]
    for (weight, gradient) in zip(weights, gradients) {
      guard let gradient else { continue }
      let group = weight.variable.group
      let rate: Value
      if let known = rates[group] {
        rate = known
      } else {
        rate = try addInput(TrainingGraph.learningRateName(group: group), TensorType(.scalar))
        try requireFinite(rate)
        rates[group] = rate
      }
      try optimizer.update(weight, gradient: gradient, learningRate: rate, step: step, in: &self)
    }
    try addUpdate(of: step, to: try apply(Increment(), step, name: "step.update"))
  }
  /// Replaces gradients by what they are together with those of the micro-batches before. An accumulation keeps that, an
  /// update leaves zeros.
  private mutating func sum(_ gradients: inout [Value?], of weights: [VariableRead], _ part: StepPart)
    throws(TesseraError)
  {
    for (index, weight) in weights.enumerated() {
      guard let gradient = gradients[index] else { continue }
      let variable = Variable(
        name: "\(weight.variable.name).gradient_sum", type: weight.variable.type, role: .gradientSum,
        isTrainable: false, group: weight.variable.group)
      let before = try addVariable(variable)
      let total = try apply(Add(), before, gradient, name: "\(variable.name).add")
      gradients[index] = total
      if part == .accumulation { try requireFinite(total) }
      try addUpdate(
        of: before, to: part == .accumulation ? total : apply(Affine(factor: 0), total, name: "\(variable.name).reset"))
    }
  }

  private mutating func clip(_ gradients: inout [Value?], toNorm norm: Double) throws(TesseraError) {
    let squares = try add(SumOfSquares(), gradients.compactMap(\.self), name: "gradient norm")
    // Finite gradients may have squares that aren't.
    try requireFinite(squares[0])
    for index in gradients.indices {
      guard let gradient = gradients[index] else { continue }
      gradients[index] = try apply(
        ClipToNorm(norm: norm), gradient, squares[0], name: "\(name(of: gradient)).clip")
    }
  }
}
