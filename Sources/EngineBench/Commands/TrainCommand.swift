public import ArgumentParser
import Tessera
public import TesseraData
import TesseraFormats
import TesseraNetworks
import TesseraTraining

extension Datasets: ExpressibleByArgument {}

extension Datasets {
  /// The network that a dataset is trained with unless another is named.
  var defaultNetwork: String {
    switch self {
    case .digits: "digits_cnn"
    case .mnist: "mnist_cnn"
    case .cifar10: "cifar_cnn"
    }
  }
}

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Trains a network on real images.",
    discussion: """
      Ends with the line "test accuracy NN.NN %". Interrupted at any moment and started again with --resume, it comes to \
      the same weights, to the bit. Docs/Tutorial.md has examples.
      """
        + "\n\n" + examples("train", "train --dataset mnist --data DIR --epochs 3 --checkpoints DIR --resume"))

  @Option(help: "digits (built in), mnist or cifar10.")
  var dataset: Datasets = .digits

  @Option(
    help: ArgumentHelp("The directory of the dataset's files, plain or .gz.", valueName: "dir"))
  var data: String?

  @Option(help: "The network (default: the dataset's own).")
  var network: String?

  @OptionGroup var published: WeightsOption

  @Option(help: "Passes over the training images.")
  var epochs = 12

  @Option(help: "Steps after which training stops, those before it was resumed included (default: all of the epochs).")
  var steps: Int?

  @Option(help: "Images a step.")
  var batch = 64

  @Option(help: "Images in memory at once: gradients of such parts of a batch are summed (default: the batch).")
  var microBatch: Int?

  @OptionGroup var random: SeedOption

  @OptionGroup(title: "Learning") var learning: OptimizerOptions

  @OptionGroup(title: "Images") var images: ImageOptions

  @Option(help: "Share of the training images that is split off to judge by after each epoch.")
  var validation: Double?

  @Option(help: "Epochs without a lower validation loss after which training stops.")
  var patience: Int?

  @OptionGroup(title: "Files") var files: CheckpointOptions

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @OptionGroup(title: "Output") var output: OutputOptions

  @OptionGroup var precision: NumericsOption

  @OptionGroup var saved: ChoicesOption

  func validate() throws {
    func require(_ condition: Bool, _ option: String, _ expected: String, _ found: Any) throws {
      guard condition else { throw ValidationError("--\(option): expected \(expected), found \(found)") }
    }
    try require((1...1_000_000).contains(epochs), "epochs", "1 to 1000000", epochs)
    try require((1...1 << 20).contains(batch), "batch", "1 to \(1 << 20)", batch)
    try require((1...1 << 20).contains(microBatch ?? 1), "micro-batch", "1 to \(1 << 20)", microBatch ?? 0)
    try require(steps ?? 1 >= 1, "steps", "1 or more", steps ?? 0)
    try require(patience ?? 1 >= 1, "patience", "1 or more", patience ?? 0)
    try require(validation.map { $0 > 0 && $0 < 1 } ?? true, "validation", "above 0 and below 1", validation ?? 0)
    try require(patience == nil || validation != nil, "patience", "--validation to judge by", "none")
    try require(dataset == .digits || data != nil, "data", "the directory of \(dataset.rawValue)'s files", "none")
    if let network {
      do throws(TesseraError) {
        _ = try NetworkCatalogue.network(named: network)
      } catch {
        throw ValidationError("\(error)")
      }
    }
  }

  func run() throws {
    let network = try NetworkCatalogue.network(named: network ?? dataset.defaultNetwork)
    let all = try dataset.load(.train, directory: data)
    let test = try dataset.load(.test, directory: data)
    let imageShape: Shape = [all.height, all.width, all.channels]
    guard network.inputShape == imageShape, network.classes == all.classes else {
      throw TesseraError(
        .shapeMismatch, at: network.name, expected: "images of \(network.inputShape) and \(network.classes) classes",
        found: "\(all.name): \(imageShape) and \(all.classes) classes")
    }
    let (train, judged) = try validation.map { try all.split(lastShare: $0) } ?? (all, nil)
    let folder = try files.folder()

    var settings = TrainingSettings()
    (settings.epochs, settings.batchSize, settings.microBatchSize) = (epochs, batch, microBatch)
    (settings.seed, settings.maximumSteps, settings.patience) = (random.seed, steps, patience)
    (settings.optimizer, settings.schedule) = learning.settings(
      stepsPerEpoch: settings.stepsPerEpoch(train), epochs: epochs)
    settings.labelSmoothing = learning.labelSmoothing
    settings.transform = images.transform
    (settings.checkpoints, settings.checkpointInterval) = (folder, files.checkpointEvery)
    settings.log = files.log
    settings.workers = try machine.resolvedWorkers()
    settings.options = try machine.programOptions(numerics: precision.numerics, choices: saved.choices())

    let store = ParameterStore(seed: random.seed)
    let loop = try TrainingLoop(network.model, store: store, train: train, validation: judged, settings: settings)
    if let weights = try published.file() { try store.load(weights, for: network.model, except: published.except) }
    try output.write(machine, measures: true) { writer in
      try writer.text(
        "\(network.name) on \(dataset.rawValue): \(train.count) images to learn from, \(test.count) to test")
      try files.resume(loop, from: folder, writer)
      try TrainingReport.train(loop, epochs: epochs, test: test, writer)
      if let path = files.save { try SafetensorsFile.write(store.published(network.model), to: path) }
    }
  }
}
