import Tessera
import TesseraKernels

/// One convolution, measured.
struct TunedConvolution {
  let name: String
  let convolution: KernelChoices.Convolution
  let timing: AlgorithmTiming
  /// What is chosen without the measurement.
  let usual: ConvolutionAlgorithm
  let choice: ConvolutionAlgorithm

  init(
    _ layer: LayerProblem, _ pass: ConvolutionPass, seed: UInt64, limit: Double, workers: Int, options: Program.Options
  ) throws(TesseraError) {
    let operands = try LayerOperands(layer.geometry, pass, seed: seed)
    func benchmark(_ algorithm: ConvolutionAlgorithm?) throws(TesseraError) -> LayerBenchmark {
      var options = options
      options.algorithm = algorithm
      return try LayerBenchmark(layer, pass, operands, workers: workers, options: options)
    }
    guard let chosen = try benchmark(nil).chosen,
      let kernels = KernelCatalogue.kernels(for: chosen.convolution.instructionSet)
    else {
      throw TesseraError(
        .unsupported, at: layer.name, expected: "a convolution to choose an algorithm for", found: "none")
    }
    (name, convolution, usual) = (layer.name, chosen.convolution, chosen.algorithm)
    var benchmarks: [ConvolutionAlgorithm: LayerBenchmark] = [:]
    for algorithm in ConvolutionAlgorithm.allCases
    where kernels.refusal(algorithm, pass, layer.geometry, numerics: options.numerics) == nil {
      benchmarks[algorithm] = try benchmark(algorithm)
    }
    timing = try AlgorithmTiming(benchmarks, limit: limit)
    choice = timing.choice(usual: usual)
  }

  /// How many times faster the choice is than what it replaces.
  var gain: Double { (timing.seconds[usual] ?? 1) / (timing.seconds[choice] ?? 1) }

  var results: [TuningResult] {
    ConvolutionAlgorithm.allCases.compactMap { algorithm in
      timing.seconds[algorithm].map {
        TuningResult(
          name: name, pass: convolution.pass.rawValue, isa: convolution.instructionSet.name,
          algorithm: algorithm.rawValue, bestMs: $0 * 1e3, isUsual: algorithm == usual, isChosen: algorithm == choice)
      }
    }
  }
}

/// One algorithm of one convolution.
struct TuningResult: Record {
  static let recordName = "tuning"

  let name: String
  let pass: String
  let isa: String
  let algorithm: String
  let bestMs: Double
  let isUsual: Bool
  let isChosen: Bool

  enum CodingKeys: String, CodingKey {
    case name, pass, isa, algorithm
    case bestMs = "best_ms"
    case isUsual = "usual"
    case isChosen = "chosen"
  }
}
