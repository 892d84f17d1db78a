import ArgumentParser
import Foundation
import Tessera
import TesseraKernels
import TesseraRuntime

struct LayersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "layers", abstract: "Times convolution layers, one by one.",
    discussion: """
      best_ms is the best of at least five window means of 0.1 s after a warm-up, median_ms is over single calls; windows \
      follow until the median one is within --spread of the best, for two seconds at most. Forward includes the \
      bias and uses prepared weights; backward-data prepares them in each call; backward-weights includes the bias' gradient. \
      prepare_ms is the preparation alone. Percentages refer to the multiply-add peak of the same instruction set and number \
      of workers, measured first. bytes are those of all operands, each once; FL/B, operations of the direct algorithm by them. \
      bound is what the roofline says: arithmetic, or the level of memory that the operands fit in (with --cold always memory), \
      whose bandwidth is measured when it is first needed.
      """
        + "\n\n"
        + examples("layers --suite resnet50 --pass all", "layers --layers layers.csv --verify --out layers.json"))

  @Option(
    help: ArgumentHelp(
      "CSV file with the columns \(LayerProblem.columns.joined(separator: ",")).",
      valueName: "file"))
  var layers: String?

  @Option(
    help: ArgumentHelp(
      "The convolutions of a network, or of an ONNX model, each size once.", valueName: "network"))
  var suite: String?

  @Option(help: "Images a batch (default: what the file says, 16 of a suite).")
  var batch: Int?

  @Option(help: "forward, backward-data, backward-weights or all.")
  var pass = "all"

  @Option(help: "direct, pixel-block, winograd or im2col; layers that it doesn't serve are left out (default: chosen).")
  var algorithm: ConvolutionAlgorithm?

  @Flag(help: "Flush the caches before each run.")
  var cold = false

  @Flag(help: "Compare results with double precision: max_error = max|y - ref| / max|ref|.")
  var verify = false

  @OptionGroup var precision: NumericsOption

  @OptionGroup var saved: ChoicesOption

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @OptionGroup var repetition: RepetitionOptions

  @OptionGroup var random: SeedOption

  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    guard pass == "all" || ConvolutionPass(rawValue: pass) != nil else {
      throw ValidationError(
        "--pass: expected forward, backward-data, backward-weights or all, found \"\(pass)\"")
    }
    if let batch { try expectOption("--batch", batch, in: batchSizes) }
    if let suite {
      guard layers == nil else {
        throw ValidationError("--suite: expected a network or a layer file, found both")
      }
      try NetworkSource.validate(suite)
    }
  }

  func run() throws {
    let problems = try problems()
    let workers = try machine.resolvedWorkers()
    let options = try machine.programOptions(
      numerics: precision.numerics, algorithm: algorithm, choices: saved.choices())
    let instructionSet = try machine.resolvedInstructionSet()
    try output.write(machine, measures: true) { writer in
      var progress = writer.progress("layers", of: problems.count)
      guard var roofline = Roofline(instructionSet: instructionSet, workers: workers) else {
        return
      }
      let peak = roofline.peak
      let figures = PeakFigure.figures(of: peak)
      try writer.write(
        figures.multiplyAdd,
        text: "\(peak.instructionSet), \(Format.count(workers, "worker")): peak "
          + "\(Format.fixed(peak.gflops, 1)) GFLOP/s, \(Format.fixed(peak.readGigabytesPerSecond, 1)) GB/s from memory"
          + (cold ? ", caches flushed" : ""))
      try writer.write(figures.read, text: LayerLine.header(verify: verify))
      let flush = cold ? try CacheFlush(workers: workers) : nil
      for (problem, pass) in problems {
        try Interruption.check()
        progress.begin("\(problem.name), \(pass.rawValue)")
        if let reason = try refusal(pass, problem.geometry) {
          writer.note("\(problem.name), \(pass.rawValue): \(reason)")
          continue
        }
        let benchmark = try LayerBenchmark(
          problem, pass, try LayerOperands(problem.geometry, pass, seed: random.seed), workers: workers,
          options: options)
        let result = try benchmark.measure(
          repetition.repetition(window: 0.1, limit: 2), &roofline, flush: flush, verifies: verify)
        try writer.write(result, text: LayerLine.text(result))
      }
    }
  }

  private func problems() throws(TesseraError) -> [(layer: LayerProblem, pass: ConvolutionPass)] {
    let passes = ConvolutionPass(rawValue: pass).map { [$0] } ?? ConvolutionPass.allCases
    if let suite {
      return try LayerProblem.convolutions(
        of: NetworkSource(suite), batch: batch ?? 16, passes: passes,
        options: machine.programOptions())
    }
    return try LayerProblem.read(layers).flatMap { layer in
      passes.map { (batch.map(layer.batch) ?? layer, $0) }
    }
  }

  /// Why the algorithm asked for can't compute this layer.
  private func refusal(_ pass: ConvolutionPass, _ geometry: ConvolutionGeometry) throws(TesseraError) -> String? {
    guard let algorithm, let kernels = KernelCatalogue.kernels(for: try machine.resolvedInstructionSet())
    else { return nil }
    return kernels.refusal(algorithm, pass, geometry, numerics: precision.numerics)
  }
}

/// One result in at most 80 columns; kernels' names and preparation go to JSON only, and the error stands in the place of
/// the intensity.
private enum LayerLine {
  static func header(verify: Bool) -> String {
    line(
      "layer", "pass", "algo", "best ms", "median", "+-%", "GFLOP/s", "peak%",
      verify ? "error" : "FL/B", "bound")
  }

  static func text(_ result: LayerResult) -> String {
    line(
      result.name, ConvolutionPass(rawValue: result.pass)?.shortName ?? result.pass,
      String(KernelName(result.algorithm).algorithm.prefix(5)),
      Format.milliseconds(result.bestMs * 1e-3), Format.milliseconds(result.medianMs * 1e-3),
      Format.fixed(100 * result.spread, result.spread < 0.1 ? 1 : 0), Format.fixed(result.gflops, 1),
      Format.fixed(result.percentOfPeak, 1),
      result.maxError.map { String(format: "%.0e", $0) }
        ?? Format.fixed(result.intensity, result.intensity < 100 ? 1 : 0),
      result.bound == "arithmetic" ? "arith" : result.bound)
  }

  private static func line(_ name: String, _ pass: String, _ algorithm: String, _ cells: String...)
    -> String
  {
    let widths = [8, 8, 5, 8, 6, 6, 7]
    return Format.left(String(name.suffix(13)), 14) + Format.left(pass, 12)
      + Format.left(algorithm, 6)
      + zip(cells, widths).map { Format.right($0, $1) }.joined()
  }
}

extension ConvolutionPass {
  /// As tables show it.
  var shortName: String {
    switch self {
    case .forward: "forward"
    case .backwardData: "bwd-data"
    case .backwardWeights: "bwd-weights"
    }
  }
}
