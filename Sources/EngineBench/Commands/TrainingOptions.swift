import ArgumentParser
import Tessera
import TesseraData
import TesseraFormats
import TesseraTraining

enum OptimizerName: String, CaseIterable, ExpressibleByArgument {
  case sgd, adam, adamw
}

enum ScheduleName: String, CaseIterable, ExpressibleByArgument {
  case constant, step, cosine
  case oneCycle = "one-cycle"
}

/// How weights change.
struct OptimizerOptions: ParsableArguments {
  @Option(help: "sgd, adam or adamw.")
  var optimizer: OptimizerName = .sgd

  @Option(help: "Momentum of sgd.")
  var momentum = 0.9

  @Flag(help: "Nesterov's momentum.")
  var nesterov = false

  @Option(help: "Weight decay.")
  var weightDecay = 1e-4

  @Option(help: "Learning rate: after the warm-up, or of the cycle's peak.")
  var learningRate = 0.05

  @Option(help: "constant, step, cosine or one-cycle.")
  var schedule: ScheduleName = .cosine

  @Option(help: "Steps in which the learning rate rises (default: an epoch, at most 100; unused by one-cycle).")
  var warmUp: Int?

  @Option(help: "Epochs after which the schedule step multiplies the rate by --decay-factor.")
  var decayEpochs = 30

  @Option(help: "See --decay-epochs.")
  var decayFactor = 0.1

  @Option(help: "Largest norm of all gradients together (default: any).")
  var clipNorm: Double?

  @Option(help: "Share of the target that all classes have alike.")
  var labelSmoothing = 0.0

  func validate() throws {
    func require(_ condition: Bool, _ option: String, _ expected: String, _ found: Any) throws {
      guard condition else { throw ValidationError("--\(option): expected \(expected), found \(found)") }
    }
    try require(learningRate.isFinite && learningRate > 0, "learning-rate", "a number above 0", learningRate)
    try require(momentum >= 0 && momentum < 1, "momentum", "0 or more, below 1", momentum)
    try require(!nesterov || momentum > 0, "momentum", "a number above 0 with --nesterov", momentum)
    try require(weightDecay.isFinite && weightDecay >= 0, "weight-decay", "a number of 0 or more", weightDecay)
    try require(warmUp ?? 0 >= 0, "warm-up", "0 or more", warmUp ?? 0)
    try require(decayEpochs >= 1, "decay-epochs", "1 or more", decayEpochs)
    try require(decayFactor.isFinite && decayFactor > 0, "decay-factor", "a number above 0", decayFactor)
    try require(clipNorm.map { $0.isFinite && $0 > 0 } ?? true, "clip-norm", "a number above 0", clipNorm ?? 0)
    try require((0...1).contains(labelSmoothing), "label-smoothing", "0 to 1", labelSmoothing)
  }

  func settings(stepsPerEpoch: Int, epochs: Int) -> (optimizer: Optimizer, schedule: LearningRateSchedule) {
    let optimizer: Optimizer =
      switch self.optimizer {
      case .sgd: .sgd(momentum: momentum, nesterov: nesterov, weightDecay: weightDecay)
      case .adam: .adam(weightDecay: weightDecay)
      case .adamw: .adamW(weightDecay: weightDecay)
      }
    let steps = stepsPerEpoch * epochs
    let rise = warmUp ?? min(stepsPerEpoch, 100)
    let schedule: LearningRateSchedule =
      switch self.schedule {
      case .constant: .constant(learningRate).warmingUp(steps: rise)
      case .step:
        .step(learningRate, every: decayEpochs * stepsPerEpoch, factor: decayFactor).warmingUp(steps: rise)
      case .cosine: .cosine(learningRate, steps: steps, warmUpSteps: rise)
      case .oneCycle: .oneCycle(learningRate, steps: steps)
      }
    return (clipNorm.map(optimizer.clippingGradients) ?? optimizer, schedule)
  }
}

/// What happens to images on their way to the network.
struct ImageOptions: ParsableArguments {
  @Option(help: "Rows and columns of zeros around images, out of which they are cut at random (4 for CIFAR-10).")
  var crop = 0

  @Flag(help: "Mirror every second image, by chance.")
  var flip = false

  @Option(
    help: ArgumentHelp(
      "Mean of each channel, from 0 to 1, separated by commas: subtracted from pixels.", valueName: "numbers"),
    transform: numbers)
  var mean: [Double] = []

  @Option(
    help: ArgumentHelp("Deviation of each channel, by which they are divided.", valueName: "numbers"),
    transform: numbers)
  var deviation: [Double] = []

  var transform: ImageTransform {
    var transform = ImageTransform(mean: mean, deviation: deviation)
    (transform.cropPadding, transform.flips) = (crop, flip)
    return transform
  }

  private static func numbers(_ text: String) throws -> [Double] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map {
      guard let number = Double($0), number.isFinite else {
        throw ValidationError("expected numbers separated by commas, found \"\(text)\"")
      }
      return number
    }
  }
}

/// What is written while training, and gone on from.
struct CheckpointOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("A folder for checkpoints: after each epoch, and as the next option says.", valueName: "dir"))
  var checkpoints: String?

  @Option(help: ArgumentHelp("Steps from one checkpoint to the next (default: epochs only).", valueName: "steps"))
  var checkpointEvery: Int?

  @Option(help: "Checkpoints that are kept.")
  var keep = 3

  @Flag(help: "Go on from the newest checkpoint of the folder that isn't damaged; begin if there is none.")
  var resume = false

  @Option(help: ArgumentHelp("Go on from this checkpoint.", valueName: "file"))
  var resumeFrom: String?

  @Option(
    help: ArgumentHelp(
      "A line for each epoch: comma-separated values if the name ends in .csv, else JSON.", valueName: "file"))
  var log: String?

  @Option(
    help: ArgumentHelp(
      "Write the weights with torchvision's names and shapes, as a safetensors file, at the end.", valueName: "file"))
  var save: String?

  func validate() throws {
    guard checkpointEvery ?? 1 >= 1 else {
      throw ValidationError("--checkpoint-every: expected 1 or more, found \(checkpointEvery ?? 0)")
    }
    guard keep >= 1 else { throw ValidationError("--keep: expected 1 or more, found \(keep)") }
    guard checkpoints != nil || !resume && checkpointEvery == nil else {
      throw ValidationError("--checkpoints: expected a folder with --resume or --checkpoint-every, found none")
    }
    guard !resume || resumeFrom == nil else {
      throw ValidationError("--resume: expected not to be given with --resume-from, found both")
    }
  }

  func folder() throws(TesseraError) -> CheckpointFolder? {
    guard let checkpoints else { return nil }
    return try CheckpointFolder(path: checkpoints, keep: keep)
  }

  /// Puts the loop where a checkpoint left it.
  func resume(_ loop: TrainingLoop, from folder: CheckpointFolder?, _ writer: ResultWriter) throws(TesseraError) {
    if let resumeFrom { return try loop.resume(from: TrainingCheckpoint(path: resumeFrom)) }
    guard resume, let newest = try folder?.newest() else { return }
    for error in newest.damaged { writer.note("passed over: \(error)") }
    try loop.resume(from: newest.checkpoint)
    try writer.text("resumed at epoch \(loop.progress.epoch + 1), step \(loop.progress.step)")
  }
}
