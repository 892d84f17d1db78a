/// Turns a model, or any graph with a loss, into a graph whose run is a whole training step.
public enum TrainingGraph {
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
  /// "output" (class probabilities for cross-entropy).
  /// - Parameter inputShape: of one example; nil: the model's own.
  public static func build(
    model: some Layer, inputShape: Shape? = nil, batch: Int, loss: Loss, optimizer: Optimizer,
    element: ElementType = .float32
  ) throws(TesseraError) -> Graph {
    let builder = ModelBuilder(mode: .training, element: element)
    let input = try builder.input(of: model, inputShape: inputShape, batch: batch)
    let output = try model.build(input, in: builder)
    var graph = builder.graph
    let lossValue: Value
    switch loss.kind {
    case .softmaxCrossEntropy(let reduction):
      let logits = logits(of: output, in: graph)
      let (loss, probabilities) = try crossEntropy(logits, reduction, batch: batch, in: &graph)
      lossValue = loss
      try graph.addOutput("output", probabilities)
    case .meanSquaredError(let reduction):
      let target = try graph.addInput("target", graph.type(of: output))
      lossValue = try graph.apply(
        MeanSquaredError(reduction: reduction), output, target, name: "loss")
      try graph.addOutput("output", output)
    }
    try graph.addTraining(loss: lossValue, optimizer: optimizer)
    return graph
  }

  /// The loss of logits [batch, ..., classes] and the target, labels [batch, ...], and the class probabilities.
  private static func crossEntropy(_ logits: Value, _ reduction: Reduction, batch: Int, in graph: inout Graph)
    throws(TesseraError) -> (loss: Value, probabilities: Value)
  {
    let operation = SoftmaxCrossEntropy(reduction: reduction)
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
  /// - Throws: ``TesseraError/Code/notFound`` if no trainable weight influences the loss, or the optimizer names a parameter
  ///   group that no weight is in.
  public mutating func addTraining(loss: Value, optimizer: Optimizer) throws(TesseraError) {
    let weights = variables.filter(\.variable.isTrainable)
    let groups = Set(weights.map(\.variable.group))
    if let unknown = optimizer.groups.keys.sorted().first(where: { !groups.contains($0) }) {
      throw TesseraError(
        .notFound, at: "optimizer",
        expected: "a parameter group of the model: \(groups.sorted().joined(separator: ", "))",
        found: "\"\(unknown)\"")
    }
    let gradients = try differentiate(loss, withRespectTo: weights.map(\.value))
    guard gradients.contains(where: { $0 != nil }) else {
      throw TesseraError(
        .notFound, at: name(of: loss), expected: "a trainable weight that influences the loss",
        found: "none of \(weights.count)")
    }
    try addOutput("loss", loss)
    try requireFinite(loss)
    let step = try addVariable(ModelBuilder.stepVariable)
    var rates: [String: Value] = [:]
    for (weight, gradient) in zip(weights, gradients) {
      guard let gradient else { continue }
      try requireFinite(gradient)
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
}
