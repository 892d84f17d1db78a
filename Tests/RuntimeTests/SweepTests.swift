import Tessera
import TesseraKernels
import TesseraVerification
import Testing

@Suite struct SweepTests {
  /// Every fast kernel, in its place in a program, against the double-precision reference on every instruction set.
  @Test(arguments: Problems.all)
  func fastKernelsAgreeWithTheReference(_ problem: Problem) throws {
    let expectation = try Expectation(problem)
    for instructionSet in KernelCatalogue.supported {
      let agreement = try expectation.agreement(of: .init(instructionSet: instructionSet, numerics: .exact))
      #expect(agreement.deviation == nil, "\(problem) \(instructionSet)")
      #expect(agreement.count == expectation.values.values.reduce(0) { $0 + $1.count })
    }
  }

  /// Every gradient against central differences of the forward pass, both in double precision.
  @Test(arguments: Problems.all)
  func gradientsAgreeWithFiniteDifferences(_ problem: Problem) throws {
    var operands = problem.operands(seed: 3)
    var random = TestRandom(4)
    let g = random.normals(try problem.resultCount())
    let gradients = try problem.run(try problem.program(.float64), operands, g: g)
    let forward = try Session(
      try problem.program(.float64, gradients: false), store: ParameterStore(), workers: 1)
    func loss() throws -> Double {
      let y = try problem.run(forward, operands, g: g)["y"] ?? []
      return zip(y, g).reduce(0) { $0 + $1.0 * $1.1 }
    }
    let h = 1e-5
    for operand in operands.indices {
      let gradient = try #require(gradients["d\(operand)"])
      let scale = gradient.reduce(1) { max($0, abs($1)) }
      for _ in 0..<(isShort ? 3 : 8) {
        let index = random.int(0...operands[operand].count - 1)
        let value = operands[operand][index]
        operands[operand][index] = value + h
        let above = try loss()
        operands[operand][index] = value - h
        let below = try loss()
        operands[operand][index] = value
        let difference = (above - below) / (2 * h)
        #expect(
          abs(difference - gradient[index]) <= 2e-7 * scale * 10,
          "\(problem) d\(operand)[\(index)]: \(gradient[index]), by differences \(difference)")
      }
    }
  }

  /// <conv(x, w), dy> = <x, backwardData(dy, w)> = <w, backwardWeights(x, dy)>.
  @Test(arguments: Problems.convolutions.filter { $0.shapes.count == 2 })
  func convolutionPassesAreAdjoint(_ problem: Problem) throws {
    let operands = problem.operands(seed: 5)
    var random = TestRandom(6)
    let g = random.normals(try problem.resultCount())
    let results = try problem.run(try problem.program(.float64), operands, g: g)
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    let product = dot(results["y"] ?? [], g)
    let size = dot((results["y"] ?? []).map(abs), g.map(abs)) + 1
    #expect(abs(dot(operands[0], results["d0"] ?? []) - product) <= 1e-11 * size)
    #expect(abs(dot(operands[1], results["d1"] ?? []) - product) <= 1e-11 * size)
  }
}
