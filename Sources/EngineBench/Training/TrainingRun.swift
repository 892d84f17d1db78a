import Tessera
import TesseraData
import TesseraNetworks

/// Trains a network on a dataset, epoch by epoch, and judges it by the test images.
final class TrainingRun {
  struct Settings {
    var epochs: Int
    var batch: Int
    var seed: UInt64
    var learningRate: Double
    var workers: Int
    var options: Program.Options
  }

  /// Sums over the batches so far.
  struct Tally {
    var images = 0
    var loss = 0.0
    var correct = 0
    var meanLoss: Double { loss / Double(max(1, images)) }
    var accuracy: Double { Double(correct) / Double(max(1, images)) }
  }

  let network: Network
  let settings: Settings
  var trainingImageCount: Int { train.count }
  private let store: ParameterStore
  private let train: ImageDataset
  private let test: ImageDataset
  private let schedule: LearningRateSchedule
  private var batches: BatchSequence
  private var step = 0
  /// By batch size: the last batch of an epoch is smaller.
  private var trainers: [Int: Trainer] = [:]
  private var classifiers: [Int: Session] = [:]
  // Room for a whole batch; smaller ones use the beginning.
  private let pixels: HostTensor<Float>
  private let labels: HostTensor<Int32>
  private let probabilities: HostTensor<Float>

  init(_ network: Network, train: ImageDataset, test: ImageDataset, settings: Settings)
    throws(TesseraError)
  {
    for dataset in [train, test] {
      guard network.inputShape == [dataset.height, dataset.width, dataset.channels],
        network.classes == dataset.classes
      else {
        throw TesseraError(
          .shapeMismatch, at: network.name,
          expected: "images of \(network.inputShape) and \(network.classes) classes",
          found: "\(dataset.name): \([dataset.height, dataset.width, dataset.channels]) and "
            + "\(dataset.classes) classes")
      }
    }
    self.network = network
    self.settings = settings
    self.train = train
    self.test = test
    store = ParameterStore(seed: settings.seed)
    batches = try BatchSequence(train, batchSize: settings.batch, seed: settings.seed)
    schedule = .cosine(
      settings.learningRate, steps: batches.count * settings.epochs,
      warmUpSteps: min(batches.count, 100))
    let room = min(settings.batch, max(train.count, test.count))
    pixels = try HostTensor(room * network.inputShape.count) { _ in 0 }
    labels = try HostTensor(room) { _ in 0 }
    probabilities = try HostTensor(room * network.classes) { _ in 0 }
  }

  /// One pass over the training images.
  /// - Parameter report: called after every batch with the epoch's share that is done.
  func trainEpoch(_ epoch: Int, report: (Double, Tally) -> Void) throws(TesseraError) -> Tally {
    batches.start(epoch: epoch)
    var tally = Tally()
    for (index, batch) in batches.enumerated() {
      let trainer = try trainer(batch.count)
      try fill(batch)
      let rate = Float(schedule.learningRate(atStep: step))
      step += 1
      let loss = try trainer.step(
        input: UnsafeRawBufferPointer(pixels.bytes(batch.count * network.inputShape.count)),
        target: UnsafeRawBufferPointer(labels.bytes(batch.count)), learningRate: rate,
        output: probabilities.bytes(batch.count * network.classes))
      tally.loss += Double(loss) * Double(batch.count)
      tally.images += batch.count
      tally.correct += correctCount(batch.count)
      report(Double(index + 1) / Double(batches.count), tally)
    }
    return tally
  }

  /// The share of the test images that the network names rightly.
  func testAccuracy() throws(TesseraError) -> Double {
    var correct = 0
    let batches = try BatchSequence(
      test, batchSize: settings.batch, seed: settings.seed, shuffle: false)
    for batch in batches {
      let classifier = try classifier(batch.count)
      try fill(batch)
      try classifier.run { (call) throws(TesseraError) in
        try call.setInput(
          "input",
          UnsafeRawBufferPointer(pixels.bytes(batch.count * network.inputShape.count)))
        try call.setOutput("output", probabilities.bytes(batch.count * network.classes))
      }
      correct += correctCount(batch.count)
    }
    return Double(correct) / Double(test.count)
  }

  private func trainer(_ batch: Int) throws(TesseraError) -> Trainer {
    if let trainer = trainers[batch] { return trainer }
    let trainer = try Trainer(
      model: network.model, batch: batch, loss: .softmaxCrossEntropy(),
      optimizer: .sgd(momentum: 0.9, weightDecay: 1e-4), store: store, options: settings.options,
      workers: settings.workers)
    trainers[batch] = trainer
    return trainer
  }

  private func classifier(_ batch: Int) throws(TesseraError) -> Session {
    if let session = classifiers[batch] { return session }
    let session = try Session(
      Program(network.model.graph(batch: batch), options: settings.options), store: store,
      workers: settings.workers)
    classifiers[batch] = session
    return session
  }

  private func fill(_ batch: Batch) throws(TesseraError) {
    // Spans of local copies of the pointers: spans of a class' property crash the optimiser of Swift 6.3.
    let (pixelElements, labelElements) = (pixels.elements, labels.elements)
    var pixelSpan = pixelElements.mutableSpan
    var labelSpan = labelElements.mutableSpan
    try batch.fill(pixels: &pixelSpan, labels: &labelSpan)
  }

  /// Rows whose largest probability is the label's.
  private func correctCount(_ count: Int) -> Int {
    let probabilities = probabilities.elements
    return (0..<count).count { row in
      let first = row * network.classes
      var best = 0
      for c in 1..<network.classes where probabilities[first + c] > probabilities[first + best] {
        best = c
      }
      return Int32(best) == labels.elements[row]
    }
  }
}
