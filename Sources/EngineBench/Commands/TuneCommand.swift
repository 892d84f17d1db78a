import ArgumentParser
import Foundation
import Tessera
import TesseraKernels
import TesseraNetworks

struct TuneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune", abstract: "Measures which algorithm suits each convolution best, and writes it to a file.",
    discussion: """
      Every convolution of a network's training step, or of a layer file, is measured with all algorithms that compute it, in \
      turn, as `layers` measures. The fastest is chosen, but what would be chosen without the measurement stays unless another \
      takes \(Format.fixed(100 * AlgorithmTiming.noise, 0)) % less. `--choices` of other commands, or a program, loads the file; \
      `--choices` here is what to begin with: the new file holds both.
      """)

  @Argument(help: "The network's name; without it the layers of --layers, or the default ones.")
  var network: String?

  @Option(
    help: ArgumentHelp(
      "CSV file with the columns \(LayerProblem.columns.joined(separator: ",")).", valueName: "file"))
  var layers: String?

  @Option(help: "Images a batch of the network (default: 16).")
  var batch: Int?

  @Option(help: "forward, backward-data, backward-weights or all.")
  var pass = "all"

  @Option(help: "The file to write.")
  var out: String

  @Option(help: "Seconds to measure each convolution at most.")
  var duration = 2.0

  @OptionGroup var machine: MachineOptions

  @OptionGroup var precision: NumericsOption

  @OptionGroup var saved: ChoicesOption

  @Option(help: "text, json or csv.")
  var format: OutputFormat = .text

  func validate() throws {
    if let network {
      guard layers == nil else {
        throw ValidationError("--layers: expected a network or a layer file, found both")
      }
      do throws(TesseraError) {
        _ = try NetworkCatalogue.network(named: network)
      } catch {
        throw ValidationError("\(error)")
      }
    } else if batch != nil {
      throw ValidationError("--batch: expected a network to go with it, found none")
    }
    if let batch, !(1...1 << 20).contains(batch) {
      throw ValidationError("--batch: expected 1 to \(1 << 20), found \(batch)")
    }
    guard pass == "all" || ConvolutionPass(rawValue: pass) != nil else {
      throw ValidationError(
        "--pass: expected forward, backward-data, backward-weights or all, found \"\(pass)\"")
    }
    guard duration > 0, duration <= 86_400 else {
      throw ValidationError("--duration: expected seconds above 0, at most a day, found \(duration)")
    }
  }

  func run() throws {
    let workers = try machine.resolvedWorkers()
    let options = try machine.programOptions(numerics: precision.numerics, choices: saved.choices())
    let problems = try problems(workers: workers, options)
    try checkDirectory()
    var choices = options.choices ?? KernelChoices()
    var csv = CSVPrinter()
    if format == .text { printLine(TuningLine.header) }
    for problem in problems {
      let tuned = try TunedConvolution(problem.layer, problem.pass, limit: duration, workers: workers, options: options)
      choices[tuned.convolution] = tuned.choice
      switch format {
      case .json: for result in tuned.results { try printJSON(result) }
      case .csv: for result in tuned.results { try csv.print(result) }
      case .text: printLine(TuningLine.text(tuned))
      }
    }
    try choices.write(to: out)
    if format == .text { printLine("\(problems.count) measured, \(choices.count) written to \(out)") }
  }

  /// What to measure, each convolution once.
  private func problems(workers: Int, _ options: Program.Options) throws(TesseraError)
    -> [(layer: LayerProblem, pass: ConvolutionPass)]
  {
    let passes = ConvolutionPass(rawValue: pass).map { [$0] } ?? ConvolutionPass.allCases
    var all: [(layer: LayerProblem, pass: ConvolutionPass)] = []
    if let network {
      let trainer = try Trainer(
        model: NetworkCatalogue.network(named: network).model, batch: batch ?? 16, loss: .softmaxCrossEntropy(),
        optimizer: .sgd(momentum: 0.9), store: ParameterStore(), options: options, workers: workers)
      for chosen in trainer.session.program.convolutions where passes.contains(chosen.convolution.pass) {
        all.append((LayerProblem(name: chosen.node, chosen.convolution.geometry), chosen.convolution.pass))
      }
    } else {
      for layer in try LayerProblem.read(layers) { all += passes.map { (layer, $0) } }
    }
    struct Key: Hashable { let geometry: ConvolutionGeometry, pass: ConvolutionPass }
    var seen: Set<Key> = []
    return all.filter { seen.insert(Key(geometry: $0.layer.geometry, pass: $0.pass)).inserted }
  }

  /// An hour of measurements shouldn't end with a file that can't be written.
  private func checkDirectory() throws(TesseraError) {
    let directory = URL(fileURLWithPath: out).deletingLastPathComponent().path
    guard FileManager.default.isWritableFile(atPath: directory) else {
      throw TesseraError(.invalidFile, at: out, expected: "a place that can be written to", found: "none")
    }
  }
}

/// One convolution in at most 80 columns: the time of each algorithm in milliseconds.
private enum TuningLine {
  static let header = line(
    "layer", "pass", ConvolutionAlgorithm.allCases.map { String($0.rawValue.prefix(8)) }, "choice", "gain")

  static func text(_ tuned: TunedConvolution) -> String {
    let times = ConvolutionAlgorithm.allCases.map { tuned.timing.seconds[$0].map(Format.milliseconds) ?? "-" }
    return line(
      tuned.name, tuned.convolution.pass.shortName, times, tuned.choice.rawValue, Format.fixed(tuned.gain, 2))
  }

  private static func line(_ name: String, _ pass: String, _ times: [String], _ choice: String, _ gain: String)
    -> String
  {
    Format.left(String(name.prefix(14)), 15) + Format.left(pass, 12) + times.map { Format.right($0, 9) }.joined()
      + Format.right(choice, 12) + Format.right(gain, 5)
  }
}
