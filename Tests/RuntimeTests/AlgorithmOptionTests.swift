import Tessera
import TesseraKernels
import TesseraVerification
import Testing

/// `Program.Options.algorithm` is followed or refused, never replaced.
@Suite struct AlgorithmOptionTests {
  /// A convolution of 7x7 windows, in one of its passes.
  private func graph(_ pass: ConvolutionPass) throws -> Graph {
    let window = ResolvedWindow2D(kernel: Size2D(7))
    var graph = Graph()
    let x = TensorType([2, 11, 11, 3])
    let w = TensorType([7, 7, 3, 8])
    let dy = TensorType([2, 5, 5, 8])
    let result =
      switch pass {
      case .forward:
        try graph.apply(
          Convolution2D(window: window), graph.addInput("x0", x), graph.addInput("x1", w), name: "stem")
      case .backwardData:
        try graph.apply(
          ConvolutionBackwardData(window: window, inputHeight: 11, inputWidth: 11), graph.addInput("x0", dy),
          graph.addInput("x1", w), name: "stem")
      case .backwardWeights:
        try graph.apply(
          ConvolutionBackwardWeights(window: window), graph.addInput("x0", x), graph.addInput("x1", dy), name: "stem")
      }
    try graph.addOutput("y", result)
    return graph
  }

  @Test(arguments: ConvolutionPass.allCases)
  func whatDoesNotServeIsAnError(_ pass: ConvolutionPass) throws {
    let graph = try graph(pass)
    let error = #expect(throws: TesseraError.self) {
      try Program(graph, options: Program.Options(algorithm: .winograd))
    }
    #expect(error?.code == .unsupported)
    #expect(error?.location == "stem")
    #expect(error?.expected.contains(pass.rawValue) == true)
    #expect(error?.found.contains("7x7") == true)
  }

  /// Pixel blocks compute backward-data only.
  @Test(arguments: [ConvolutionPass.forward, .backwardWeights])
  func otherPasses(_ pass: ConvolutionPass) throws {
    let graph = try graph(pass)
    let error = #expect(throws: TesseraError.self) {
      try Program(graph, options: Program.Options(algorithm: .pixelBlock))
    }
    #expect(error?.code == .unsupported)
    #expect(error?.location == "stem")
  }

  @Test(arguments: ConvolutionPass.allCases)
  func whatServesIsTaken(_ pass: ConvolutionPass) throws {
    for algorithm: ConvolutionAlgorithm in [.direct, .im2col] {
      let program = try Program(graph(pass), options: Program.Options(algorithm: algorithm))
      let kernel = program.kernelSummary.first { $0.node == "stem" }?.kernel
      #expect(kernel?.contains(".\(algorithm.rawValue).") == true, "\(kernel ?? "none")")
    }
  }

  /// The unrolled product in a program gives the sums of the direct one, for any number of workers the same bits.
  @Test func unrolledProgramsAgree() throws {
    for problem in Problems.convolutions.prefix(isShort ? 6 : 30) {
      let operands = problem.operands(seed: 1)
      var random = TestRandom(2)
      let g = random.normals(try problem.resultCount())
      let expected = try problem.run(problem.program(.float64), operands, g: g)
      let program = try problem.program(.float32, .init(algorithm: .im2col))
      let found = try problem.run(program, operands, g: g)
      #expect(try problem.run(program, operands, g: g, workers: 2) == found, "\(problem)")
      let bounds = try problem.run(problem.program(.float64), operands.map { $0.map(abs) }, g: g.map(abs))
      for (name, values) in expected {
        let result = try #require(found[name])
        for (index, value) in values.enumerated() {
          let bound = gamma(problem.terms + 2) * abs(bounds[name]?[index] ?? 0) + 1e-30
          guard abs(result[index] - value) > bound else { continue }
          Issue.record("\(problem) \(name)[\(index)]: \(result[index]), expected \(value) +- \(bound)")
          break
        }
      }
    }
  }
}
