import Tessera
import TesseraData
import TesseraRuntime

/// Runs batches of any size through a model: a step of training, in parts where the batch is larger than what is in memory
/// at once, or an evaluation.
final class StepRunner {
  private struct Problem: Hashable {
    let images: Int
    /// Nil: an evaluation.
    let part: StepPart?
  }

  /// A program, and the numbers that its runs are given and give beside the images.
  private struct Prepared {
    let session: Session
    /// The learning rates that it wants, and by what the schedule's is multiplied for each.
    let rates: [(name: String, factor: Double)]
    /// Loss, weight of the loss, then the learning rates.
    let scalars: AlignedMemory

    static let learningRate = 2
  }

  private let model: any Layer
  private let inputShape: Shape
  private let classes: Int
  private let store: ParameterStore
  private let settings: TrainingSettings
  /// Images of a batch at most.
  let capacity: Int
  /// Programs are compiled when a batch of their size comes.
  private var programs: [Problem: Prepared] = [:]
  private let probabilities: AlignedMemory

  /// Compiles the program of whole batches, which adds all variables to the store.
  init(_ model: any Layer, for dataset: ImageDataset, store: ParameterStore, settings: TrainingSettings)
    throws(TesseraError)
  {
    self.model = model
    self.store = store
    self.settings = settings
    capacity = min(settings.batchSize, dataset.count)
    inputShape = [dataset.height, dataset.width, dataset.channels]
    classes = dataset.classes
    probabilities = try AlignedMemory(
      allocating: capacity * dataset.classes * MemoryLayout<Float>.size, for: "class probabilities")
    _ = try prepared(min(capacity, partSize(of: capacity)), settings.microBatchSize == nil ? .whole : .update)
  }

  /// One step of training.
  func step(_ batch: BatchPipeline.Lent, learningRate: Double, metrics: inout Metrics) throws(TesseraError) {
    let size = partSize(of: batch.count)
    do throws(TesseraError) {
      for first in stride(from: 0, to: batch.count, by: size) {
        let images = min(size, batch.count - first)
        let isLast = first + images == batch.count
        let part: StepPart = settings.microBatchSize == nil ? .whole : isLast ? .update : .accumulation
        try run(
          Problem(images: images, part: part), batch, first, learningRate: learningRate, metrics: &metrics)
      }
    } catch {
      try resetGradientSums()
      throw error
    }
  }

  /// Counts how a batch is judged.
  func evaluate(_ batch: BatchPipeline.Lent, metrics: inout Metrics) throws(TesseraError) {
    let size = partSize(of: batch.count)
    for first in stride(from: 0, to: batch.count, by: size) {
      try run(
        Problem(images: min(size, batch.count - first), part: nil), batch, first, learningRate: 0, metrics: &metrics)
    }
  }

  private func partSize(of batch: Int) -> Int { settings.microBatchSize ?? batch }

  private func run(
    _ problem: Problem, _ batch: BatchPipeline.Lent, _ first: Int, learningRate: Double, metrics: inout Metrics
  ) throws(TesseraError) {
    let prepared = try prepared(problem.images, problem.part)
    let pixelCount = inputShape.count
    let pixels = UnsafeBufferPointer(
      rebasing: batch.pixels[first * pixelCount..<(first + problem.images) * pixelCount])
    let labels = UnsafeBufferPointer(rebasing: batch.labels[first..<first + problem.images])
    let output = UnsafeMutableRawBufferPointer(
      rebasing: probabilities.bytes[..<(problem.images * classes * MemoryLayout<Float>.size)])
    let scalars = prepared.scalars.bytes.bindMemory(to: Float.self)
    func scalar(_ index: Int) -> UnsafeMutableRawBufferPointer {
      UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: scalars[index..<index + 1]))
    }
    scalars[1] = Float(Double(problem.images) / Double(batch.count))
    try prepared.session.run { (call) throws(TesseraError) in
      try call.setInput("input", UnsafeRawBufferPointer(pixels))
      try call.setInput("target", UnsafeRawBufferPointer(labels))
      if let part = problem.part, part != .whole {
        try call.setInput(TrainingGraph.lossWeightName, UnsafeRawBufferPointer(scalar(1)))
      }
      for (index, rate) in prepared.rates.enumerated() {
        scalars[Prepared.learningRate + index] = Float(learningRate * rate.factor)
        try call.setInput(rate.name, UnsafeRawBufferPointer(scalar(Prepared.learningRate + index)))
      }
      try call.setOutput("loss", scalar(0))
      try call.setOutput("output", output)
    }
    metrics.add(
      loss: scalars[0], probabilities: UnsafeBufferPointer(output.bindMemory(to: Float.self)),
      labels: labels, classes: classes)
  }

  private func rates(of session: Session) -> [(name: String, factor: Double)] {
    session.program.inputs.compactMap { input in
      if input.name == TrainingGraph.defaultLearningRateName { return (input.name, 1) }
      let prefix = TrainingGraph.learningRateName(group: "")
      guard input.name.hasPrefix(prefix) else { return nil }
      return (input.name, settings.groupRates[String(input.name.dropFirst(prefix.count))] ?? 1)
    }
  }

  private func prepared(_ images: Int, _ part: StepPart?) throws(TesseraError) -> Prepared {
    let problem = Problem(images: images, part: part)
    if let prepared = programs[problem] { return prepared }
    let graph: Graph
    if let part {
      graph = try TrainingGraph.build(
        model: model, inputShape: inputShape, batch: images,
        loss: .softmaxCrossEntropy(labelSmoothing: settings.labelSmoothing), optimizer: settings.optimizer, part: part)
    } else {
      graph = try TrainingGraph.evaluation(
        of: model, inputShape: inputShape, batch: images, loss: .softmaxCrossEntropy())
    }
    guard let output = graph.outputs.first(where: { $0.name == "output" }),
      graph.shape(of: output.value) == [images, classes]
    else {
      throw TesseraError(
        .shapeMismatch, at: "training", expected: "a model with one output for each of \(classes) classes",
        found: graph.outputs.first.map { "\(graph.shape(of: $0.value))" } ?? "none")
    }
    let session = try Session(
      Program(graph, options: settings.options), store: store, workers: settings.workers)
    let rates = rates(of: session)
    let prepared = try Prepared(
      session: session, rates: rates,
      scalars: AlignedMemory(
        allocating: (Prepared.learningRate + rates.count) * MemoryLayout<Float>.size, for: "learning rates"))
    programs[problem] = prepared
    return prepared
  }

  /// After micro-batches of a step that failed.
  private func resetGradientSums() throws(TesseraError) {
    guard settings.microBatchSize != nil else { return }
    var zeros: [String: Tensor] = [:]
    for name in store.names {
      if let variable = store.variable(named: name), variable.role == .gradientSum {
        zeros[name] = try Tensor(allocating: variable.type, for: name)
      }
    }
    try store.set(zeros)
  }
}
