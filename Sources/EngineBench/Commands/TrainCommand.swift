public import ArgumentParser
import Tessera
public import TesseraData
import TesseraNetworks

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
      SGD with momentum 0.9 and weight decay 1e-4; the learning rate warms up and then falls along a cosine. Ends with the \
      line "test accuracy NN.NN %".
      """)

  @Option(help: "digits (built in), mnist or cifar10.")
  var dataset: Datasets = .digits

  @Option(
    help: ArgumentHelp("The directory of the dataset's files, plain or .gz.", valueName: "dir"))
  var data: String?

  @Option(help: "The network (default: the dataset's own).")
  var network: String?

  @Option(help: "Passes over the training images.")
  var epochs = 12

  @Option(help: "Images a step.")
  var batch = 64

  @Option(help: "Seed of weights, order and dropout.")
  var seed: UInt64 = 0

  @Option(help: "Learning rate after the warm-up.")
  var learningRate = 0.05

  @OptionGroup var machine: MachineOptions

  @OptionGroup var precision: NumericsOption

  @OptionGroup var saved: ChoicesOption

  func validate() throws {
    guard (1...1_000_000).contains(epochs) else {
      throw ValidationError("--epochs: expected 1 to 1000000, found \(epochs)")
    }
    guard (1...1 << 20).contains(batch) else {
      throw ValidationError("--batch: expected 1 to \(1 << 20), found \(batch)")
    }
    guard learningRate.isFinite, learningRate > 0 else {
      throw ValidationError("--learning-rate: expected a number above 0, found \(learningRate)")
    }
    guard dataset == .digits || data != nil else {
      throw ValidationError("--data: expected the directory of \(dataset.rawValue)'s files, found none")
    }
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
    let train = try dataset.load(.train, directory: data)
    let test = try dataset.load(.test, directory: data)
    let run = try TrainingRun(
      network, train: train, test: test,
      settings: TrainingRun.Settings(
        epochs: epochs, batch: batch, seed: seed, learningRate: learningRate,
        workers: machine.resolvedWorkers(),
        options: machine.programOptions(numerics: precision.numerics, choices: saved.choices())))
    printLine(
      "\(network.name) on \(dataset.rawValue): \(train.count) images to learn from, \(test.count) to test")
    try TrainingReport.train(run)
  }
}
