import ArgumentParser
import Tessera
import TesseraKernels

struct TuneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune", abstract: "Measures which algorithm suits each convolution best, and writes it to a file.",
    discussion: """
      Every convolution of a network's training step, or of a layer file, is measured with all algorithms that compute it, in \
      turn, as `layers` measures. The fastest is chosen, but what would be chosen without the measurement stays unless another \
      takes \(Format.fixed(100 * AlgorithmTiming.noise, 0)) % less. `--choices` of other commands, or a program, loads the file; \
      `--choices` here is what to begin with: the new file holds both.
      """
        + "\n\n"
        + examples("tune mnist_cnn --batch 64 --out choices.json", "tune --layers layers.csv --out choices.json"))

  @Argument(
    help:
      "The network's name, or the path of an ONNX model; without it the layers of --layers, or the default ones."
  )
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

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @OptionGroup var precision: NumericsOption

  @OptionGroup var saved: ChoicesOption

  @OptionGroup var random: SeedOption

  @OptionGroup(title: "Output") var output: FormatOptions

  func validate() throws {
    if let network {
      guard layers == nil else {
        throw ValidationError("--layers: expected a network or a layer file, found both")
      }
      try NetworkSource.validate(network)
    } else if batch != nil {
      throw ValidationError("--batch: expected a network to go with it, found none")
    }
    if let batch { try expectOption("--batch", batch, in: batchSizes) }
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
    let problems = try problems(options)
    try OutputFile.checkWritable(out)
    var choices = options.choices ?? KernelChoices()
    try output.write(machine, measures: true) { writer in
      var progress = writer.progress("convolutions", of: problems.count)
      try writer.text(TuningLine.header)
      var count = 0
      for problem in problems {
        progress.begin("\(problem.layer.name), \(problem.pass.rawValue)")
        let tuned = try TunedConvolution(
          problem.layer, problem.pass, seed: random.seed, limit: duration, workers: workers, options: options)
        // Times that were cut short choose nothing.
        if Interruption.isRequested { break }
        choices[tuned.convolution] = tuned.choice
        for result in tuned.results { try writer.write(result) }
        try writer.text(TuningLine.text(tuned))
        count += 1
      }
      // An interruption keeps what was chosen until then.
      if count == 0 { try Interruption.check() }
      try choices.write(to: out)
      try writer.text("\(count) measured, \(choices.count) written to \(out)")
      try Interruption.check()
    }
  }

  /// What to measure, each convolution once.
  private func problems(_ options: Program.Options) throws(TesseraError)
    -> [(layer: LayerProblem, pass: ConvolutionPass)]
  {
    let passes = ConvolutionPass(rawValue: pass).map { [$0] } ?? ConvolutionPass.allCases
    if let network {
      return try LayerProblem.convolutions(
        of: NetworkSource(network), batch: batch ?? 16, passes: passes, options: options)
    }
    struct Key: Hashable { let geometry: ConvolutionGeometry, pass: ConvolutionPass }
    var seen: Set<Key> = []
    return try LayerProblem.read(layers).flatMap { layer in passes.map { (layer, $0) } }
      .filter { seen.insert(Key(geometry: $0.0.geometry, pass: $0.1)).inserted }
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
