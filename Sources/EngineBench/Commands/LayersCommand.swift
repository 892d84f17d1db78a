import ArgumentParser
import Foundation
import Tessera
import TesseraKernels

struct LayersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "layers", abstract: "Times convolution layers, one by one.",
    discussion: """
      best_ms is the best of at least five window means of 0.1 s after a warm-up, median_ms is over single calls; windows \
      follow until the median one is within --spread of the best, for two seconds at most. Forward includes the \
      bias and uses prepared weights; backward-data prepares them in each call; backward-weights includes the bias' gradient. \
      prepare_ms is the preparation alone. Percentages refer to the multiply-add peak of the same instruction set and number \
      of workers, measured first.
      """)

  @Option(
    help: ArgumentHelp(
      "CSV file with the columns \(LayerProblem.columns.joined(separator: ",")).",
      valueName: "file"))
  var layers: String?

  @Option(help: "forward, backward-data, backward-weights or all.")
  var pass = "all"

  @Option(help: "direct, pixel-block, winograd or im2col; layers that it doesn't serve are left out (default: chosen).")
  var algorithm: ConvolutionAlgorithm?

  @OptionGroup var precision: NumericsOption

  @OptionGroup var saved: ChoicesOption

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @Flag(help: "Compare results with double precision: max_error = max|y - ref| / max|ref|.")
  var verify = false

  @OptionGroup var repetition: RepetitionOptions

  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    guard pass == "all" || ConvolutionPass(rawValue: pass) != nil else {
      throw ValidationError(
        "--pass: expected forward, backward-data, backward-weights or all, found \"\(pass)\"")
    }
  }

  func run() throws {
    let problems = try LayerProblem.read(layers)
    let passes = ConvolutionPass(rawValue: pass).map { [$0] } ?? ConvolutionPass.allCases
    let workers = try machine.resolvedWorkers()
    let options = try machine.programOptions(
      numerics: precision.numerics, algorithm: algorithm, choices: saved.choices())
    let instructionSet = try machine.resolvedInstructionSet()
    try output.write(machine, measures: true) { writer in
      var progress = writer.progress("layers", of: problems.count * passes.count)
      let peak = PeakMeasurement(instructionSet: instructionSet, workers: workers)
      let figures = PeakFigure.figures(of: peak)
      try writer.write(
        figures.multiplyAdd,
        text: "\(peak.instructionSet), \(workers) worker\(workers == 1 ? "" : "s"): "
          + "peak \(Format.fixed(peak.gflops, 1)) GFLOP/s")
      try writer.write(figures.read)
      try writer.text(LayerLine.header(verify: verify))
      for problem in problems {
        for pass in passes {
          progress.begin("\(problem.name), \(pass.rawValue)")
          if let reason = try refusal(pass, problem.geometry) {
            writer.note("\(problem.name), \(pass.rawValue): \(reason)")
            continue
          }
          let benchmark = try LayerBenchmark(
            problem, pass, try LayerOperands(problem.geometry, pass, seed: 1), workers: workers, options: options)
          let result = try benchmark.measure(
            repetition.repetition(window: 0.1, limit: 2), peak: peak, verifies: verify)
          try writer.write(result, text: LayerLine.text(result))
          try Interruption.check()
        }
      }
    }
  }

  /// Why the algorithm asked for can't compute this layer.
  private func refusal(_ pass: ConvolutionPass, _ geometry: ConvolutionGeometry) throws(TesseraError) -> String? {
    guard let algorithm, let kernels = KernelCatalogue.kernels(for: try machine.resolvedInstructionSet())
    else { return nil }
    return kernels.refusal(algorithm, pass, geometry, numerics: precision.numerics)
  }
}

/// One result in at most 80 columns; the kernel's name goes to JSON only.
private enum LayerLine {
  static func header(verify: Bool) -> String {
    line("layer", "pass", "best ms", "median", "GFLOP/s", "% peak", "prep ms")
      + (verify ? "    error" : "")
  }

  static func text(_ result: LayerResult) -> String {
    line(
      result.name, ConvolutionPass(rawValue: result.pass)?.shortName ?? result.pass,
      Format.milliseconds(result.bestMs * 1e-3),
      Format.milliseconds(result.medianMs * 1e-3), Format.fixed(result.gflops, 1),
      Format.fixed(result.percentOfPeak, 1), Format.milliseconds(result.prepareMs * 1e-3))
      + (result.maxError.map { "  " + String(format: "%.1e", $0) } ?? "")
  }

  private static func line(
    _ name: String, _ pass: String, _ best: String, _ median: String, _ gflops: String,
    _ percent: String, _ prepare: String
  ) -> String {
    Format.left(String(name.prefix(19)), 20) + Format.left(pass, 12) + Format.right(best, 8) + Format.right(median, 8)
      + Format.right(gflops, 8) + Format.right(percent, 7) + Format.right(prepare, 8)
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
