public import TesseraGraph

/// Runs training steps of one model at one batch size.
///
/// A step computes loss and gradients, checks that they are finite, and only then writes weights, optimizer state,
/// running statistics and the step counter. A step that throws has written nothing.
public struct Trainer: Sendable {
  /// The program of one training step, bound to the store.
  public let session: Session
  /// Whether any weight is in the default parameter group.
  private let hasDefaultRate: Bool

  /// Compiles a model for training.
  /// - Parameters:
  ///   - inputShape: of one image, [H, W, C]; nil: the model's own.
  ///   - store: where parameters live; those it doesn't hold yet are added.
  ///   - workers: nil: the environment's, or one a usable core.
  /// - Throws: ``TesseraError`` if a layer doesn't fit, or the store holds parameters of other shapes.
  public init(
    model: some Layer, inputShape: Shape? = nil, batch: Int, loss: Loss, optimizer: Optimizer,
    store: ParameterStore, options: Program.Options = .init(), workers: Int? = nil
  ) throws(TesseraError) {
    let graph = try TrainingGraph.build(
      model: model, inputShape: inputShape, batch: batch, loss: loss, optimizer: optimizer)
    try self.init(
      session: Session(Program(graph, options: options), store: store, workers: workers))
  }

  /// Trains a graph built by hand.
  /// - Throws: ``TesseraError/Code/notFound`` if the program updates nothing or has no output "loss".
  public init(session: Session) throws(TesseraError) {
    guard session.program.isTraining else {
      throw TesseraError(
        .notFound, at: "trainer", expected: "a program that updates variables", found: "none")
    }
    guard session.program.outputs.contains(where: { $0.name == "loss" }) else {
      throw TesseraError(.notFound, at: "trainer", expected: "an output named loss", found: "none")
    }
    self.session = session
    hasDefaultRate = session.program.inputs.contains { $0.name == TrainingGraph.defaultLearningRateName }
  }

  /// One step on a batch.
  /// - Parameters:
  ///   - learningRate: of the default parameter group; unused where no weight is in it.
  ///   - learningRates: of the other parameter groups, by group.
  /// - Returns: the loss before the update, and the program's other outputs.
  /// - Throws: ``TesseraError/Code/notFinite``, ``TesseraError/Code/invalidData`` for labels out of range,
  ///   ``TesseraError/Code/notFound`` for a group that doesn't exist or has no rate, and what
  ///   ``Session/run(_:)-([String:Tensor])`` throws.
  @discardableResult
  public func step(
    _ input: Tensor, _ target: Tensor, learningRate: Float, learningRates: [String: Float] = [:]
  ) throws(TesseraError) -> (loss: Float, outputs: [String: Tensor]) {
    var inputs = ["input": input, "target": target]
    if hasDefaultRate {
      inputs[TrainingGraph.defaultLearningRateName] = try Tensor([learningRate], shape: .scalar)
    }
    for (group, rate) in learningRates {
      inputs[TrainingGraph.learningRateName(group: group)] = try Tensor([rate], shape: .scalar)
    }
    let outputs = try session.run(inputs)
    guard let loss = try outputs["loss"]?.elements(as: Float.self).first else {
      throw TesseraError(.notFound, at: "trainer", expected: "a loss", found: "none")
    }
    return (loss, outputs)
  }

  /// One step on the caller's own memory; with one parameter group nothing is allocated in the steady state.
  /// - Parameters:
  ///   - input: the batch, as many bytes as the program's input has.
  ///   - target: labels or targets, likewise.
  ///   - learningRate: of the default parameter group; unused where no weight is in it.
  ///   - learningRates: of the other parameter groups, by group.
  ///   - output: gets the model's output (class probabilities), if wanted.
  /// - Throws: as the other ``step(_:_:learningRate:learningRates:)``.
  @discardableResult
  public func step(
    input: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer, learningRate: Float,
    learningRates: [String: Float] = [:], output: UnsafeMutableRawBufferPointer? = nil
  ) throws(TesseraError) -> Float {
    var loss: Float = 0
    var rate = learningRate
    // Values of the caller's dictionary, where they stay until the run is over.
    let groups = Array(learningRates)
    let outcome: Result<Void, TesseraError> = withUnsafeMutableBytes(of: &loss) { lossBytes in
      withUnsafeBytes(of: &rate) { rateBytes in
        groups.map(\.value).withUnsafeBytes { groupBytes in
          do throws(TesseraError) {
            try session.run { (call) throws(TesseraError) in
              try call.setInput("input", input)
              try call.setInput("target", target)
              if hasDefaultRate {
                try call.setInput(TrainingGraph.defaultLearningRateName, rateBytes)
              }
              for (index, group) in groups.enumerated() {
                let size = MemoryLayout<Float>.size
                try call.setInput(
                  TrainingGraph.learningRateName(group: group.key),
                  UnsafeRawBufferPointer(rebasing: groupBytes[index * size..<(index + 1) * size]))
              }
              try call.setOutput("loss", lossBytes)
              if let output { try call.setOutput("output", output) }
            }
            return .success(())
          } catch {
            return .failure(error)
          }
        }
      }
    }
    try outcome.get()
    return loss
  }
}
