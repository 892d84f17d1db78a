import TesseraKernels
import TesseraVerification
import Testing

@Suite struct WinogradTests {
  @Test(arguments: KernelCatalogue.supported, [3, 5])
  func generated(_ set: InstructionSet, window: Int) throws {
    let kernels = try kernels(of: set)
    let geometries = GeneratedGeometries.winograd(
      window: window, rounds: isShort ? 1 : 5, seed: 4, maximumFlops: isShort ? 6e5 : 3e6)
    var share = 0.0
    for g in geometries {
      share = max(
        share,
        ConvolutionProblem(g).check(
          kernels, ConvolutionSettings(caches: .typical), .winograd,
          activations: isShort ? [.identity, .relu] : allActivations))
    }
    if isMeasuring { print("\(set), \(window)x\(window): at most \(share) of the bound") }
  }

  /// The numbers that ``WinogradBound`` states are those of its matrices.
  @Test func amplification() {
    #expect(WinogradBound.amplification(window: 3).rounded() == 752)
    #expect(WinogradBound.gradientAmplification(window: 3).rounded() == 1096)
    #expect(WinogradBound.amplification(window: 5).rounded() == 1532)
    #expect(WinogradBound.gradientAmplification(window: 5).rounded() == 459)
  }

  /// What is promised of `fast`, where sums are long: 512 channels, filters and pixels; with 5x5 taps 256 of each.
  @Test(arguments: KernelCatalogue.supported, [NormalProblem.three, .five])
  fileprivate func promiseOfFast(_ set: InstructionSet, _ problem: NormalProblem) throws {
    let kernels = try kernels(of: set)
    let g = problem.geometry
    for algorithm: ConvolutionAlgorithm? in [nil, .winograd] {
      let settings = ConvolutionSettings(caches: .typical, numerics: .fast, algorithm: algorithm)
      let (x, w) = (GuardedBuffer(problem.x), GuardedBuffer(problem.w))
      let dy = GuardedBuffer(problem.dy)
      let forward = kernels.plan(.forward, g, settings)
      expect(
        convolve(forward, input: x, weights: w, bias: nil, count: g.yCount), problem.y, .forward, g, forward.name,
        operands: x, w)
      let data = kernels.plan(.backwardData, g, settings)
      expect(
        convolve(data, input: dy, weights: w, bias: nil, count: g.xCount), problem.dx, .backwardData, g, data.name,
        operands: dy, w)
      let weights = kernels.weightGradientPlan(g, settings)
      expect(
        weightGradient(weights, x: x, dy: dy, g), problem.dw, .backwardWeights, g, weights.name, operands: x, dy)
    }
  }

  private func expect(
    _ actual: GuardedBuffer<Float>, _ expected: [Double], _ pass: ConvolutionPass, _ g: ConvolutionGeometry,
    _ name: String, operands first: GuardedBuffer<Float>, _ second: GuardedBuffer<Float>
  ) {
    let largest = expected.reduce(0) { max($0, abs($1)) }
    expectClose(actual.values, expected, name) { _ in 1e-4 * largest }
    guard isMeasuring else { return }
    let error = zip(actual.values, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
    let bound = WinogradBound.bound(pass, g, largest: first.largest * second.largest)
    print("\(name): off by \(error / largest) of the largest result, \(error / bound) of the bound")
  }
}

/// Unit-normal operands and their exact results, once for all instruction sets.
private struct NormalProblem: Sendable, CustomTestStringConvertible {
  static let three = NormalProblem(window: 3, channels: 512)
  static let five = NormalProblem(window: 5, channels: 256)

  let geometry: ConvolutionGeometry
  let x: [Float], w: [Float], dy: [Float]
  let y: [Double], dx: [Double], dw: [Double]

  var testDescription: String { "\(geometry)" }

  private init(window: Int, channels: Int) {
    let (size, pad) = (isShort ? 3 : 16, window / 2)
    let g = ConvolutionGeometry(
      n: 2, h: size, w: size, c: channels, k: isShort ? 32 : channels, r: window, s: window, padTop: pad, padLeft: pad,
      padBottom: pad, padRight: pad)
    geometry = g
    x = Self.normals(g.xCount, seed: 1)
    w = Self.normals(g.weightCount, seed: 2)
    dy = Self.normals(g.yCount, seed: 3)
    let (exactX, exactW, exactDy) = (x.map(Double.init), w.map(Double.init), dy.map(Double.init))
    var y = [Double](repeating: 0, count: g.yCount)
    Reference.convolutionForward(g, x: exactX, w: exactW, bias: nil, activation: .identity, y: &y)
    var dx = [Double](repeating: 0, count: g.xCount)
    Reference.convolutionBackwardData(g, dy: exactDy, w: exactW, bias: nil, activation: .identity, dx: &dx)
    var dw = [Double](repeating: 0, count: g.weightCount)
    Reference.convolutionBackwardWeights(g, x: exactX, dy: exactDy, dw: &dw)
    (self.y, self.dx, self.dw) = (y, dx, dw)
  }

  private static func normals(_ count: Int, seed: UInt64) -> [Float] {
    var random = PhiloxGenerator(seed: seed)
    return (0..<count).map { _ in Float(random.normal()) }
  }
}
