import TesseraKernels
import TesseraVerification
import Testing

/// 3x3 windows of stride 1 in all channel and filter counts from 1 to 67, and 130: one and a half blocks of four vectors
/// of 16 lanes. Images from a single pixel on, dilations and padding beyond their size, batches from none on.
private func generatedGeometries(rounds: Int, seed: UInt64, maximumFlops: Double) -> [ConvolutionGeometry] {
  let counts = Array(1...67) + [130]
  var random = PhiloxGenerator(seed: seed)
  var result: [ConvolutionGeometry] = []
  while result.count < rounds * counts.count {
    // 29 and the number of counts have no common divisor: each count is met as often as the others, in new pairs.
    let round = result.count / counts.count
    var g = ConvolutionGeometry(
      n: random.integer(0...5), h: random.one(of: [1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 17, 23]),
      w: random.one(of: [1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 19, 29]), c: counts[result.count % counts.count],
      k: counts[(result.count * 29 + round * 7) % counts.count], r: 3, s: 3,
      dilationY: random.one(of: [1, 1, 2, 3, 4]),
      dilationX: random.one(of: [1, 1, 2, 3, 4]))
    let mostPadding = random.one(of: [0, 1, 2, 4, 9])
    (g.padTop, g.padLeft) = (random.integer(0...mostPadding), random.integer(0...mostPadding))
    (g.padBottom, g.padRight) = (random.integer(0...mostPadding), random.integer(0...mostPadding))
    let rows = g.h + g.padTop + g.padBottom - 2 * g.dilationY
    let columns = g.w + g.padLeft + g.padRight - 2 * g.dilationX
    guard rows > 0, columns > 0, g.flops < maximumFlops else { continue }
    result.append(g)
  }
  return result
}

@Suite struct WinogradTests {
  @Test(arguments: KernelCatalogue.supported)
  func generated(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let geometries = generatedGeometries(rounds: isShort ? 1 : 5, seed: 4, maximumFlops: isShort ? 6e5 : 3e6)
    var share = 0.0
    for g in geometries {
      share = max(
        share,
        ConvolutionProblem(g).check(
          kernels, ConvolutionSettings(caches: .typical), .winograd, activations: allActivations))
    }
    if isMeasuring { print("\(set): at most \(share) of the bound") }
  }

  /// The numbers that ``WinogradBound`` states are those of its matrices.
  @Test func amplification() {
    #expect(WinogradBound.amplification.rounded() == 752)
    #expect(WinogradBound.gradientAmplification.rounded() == 1096)
  }

  /// What is promised of `fast`, where sums are long: 512 channels, filters and pixels.
  @Test(arguments: KernelCatalogue.supported)
  func promiseOfFast(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let g = NormalProblem.geometry
    for algorithm: ConvolutionAlgorithm? in [nil, .winograd] {
      let settings = ConvolutionSettings(caches: .typical, numerics: .fast, algorithm: algorithm)
      let (x, w) = (GuardedBuffer(NormalProblem.x), GuardedBuffer(NormalProblem.w))
      let dy = GuardedBuffer(NormalProblem.dy)
      let forward = kernels.plan(.forward, g, settings)
      expect(
        convolve(forward, input: x, weights: w, bias: nil, count: g.yCount), NormalProblem.y, .forward, forward.name,
        operands: x, w)
      let data = kernels.plan(.backwardData, g, settings)
      expect(
        convolve(data, input: dy, weights: w, bias: nil, count: g.xCount), NormalProblem.dx, .backwardData, data.name,
        operands: dy, w)
      let weights = kernels.weightGradientPlan(g, settings)
      expect(
        weightGradient(weights, x: x, dy: dy, g), NormalProblem.dw, .backwardWeights, weights.name, operands: x, dy)
    }
  }

  private func expect(
    _ actual: GuardedBuffer<Float>, _ expected: [Double], _ pass: ConvolutionPass, _ name: String,
    operands first: GuardedBuffer<Float>, _ second: GuardedBuffer<Float>
  ) {
    let largest = expected.reduce(0) { max($0, abs($1)) }
    expectClose(actual.values, expected, name) { _ in 1e-4 * largest }
    guard isMeasuring else { return }
    let error = zip(actual.values, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
    let bound = WinogradBound.bound(pass, NormalProblem.geometry, largest: first.largest * second.largest)
    print("\(name): off by \(error / largest) of the largest result, \(error / bound) of the bound")
  }

  /// Unit-normal operands and their exact results, once for all instruction sets.
  private enum NormalProblem {
    static let geometry = ConvolutionGeometry(
      n: 2, h: isShort ? 3 : 16, w: isShort ? 3 : 16, c: 512, k: isShort ? 32 : 512, r: 3, s: 3, padTop: 1, padLeft: 1,
      padBottom: 1, padRight: 1)
    static let x = normals(geometry.xCount, seed: 1)
    static let w = normals(geometry.weightCount, seed: 2)
    static let dy = normals(geometry.yCount, seed: 3)
    static let y = {
      var y = [Double](repeating: 0, count: geometry.yCount)
      Reference.convolutionForward(
        geometry, x: x.map(Double.init), w: w.map(Double.init), bias: nil, activation: .identity, y: &y)
      return y
    }()
    static let dx = {
      var dx = [Double](repeating: 0, count: geometry.xCount)
      Reference.convolutionBackwardData(
        geometry, dy: dy.map(Double.init), w: w.map(Double.init), bias: nil, activation: .identity, dx: &dx)
      return dx
    }()
    static let dw = {
      var dw = [Double](repeating: 0, count: geometry.weightCount)
      Reference.convolutionBackwardWeights(geometry, x: x.map(Double.init), dy: dy.map(Double.init), dw: &dw)
      return dw
    }()

    private static func normals(_ count: Int, seed: UInt64) -> [Float] {
      var random = PhiloxGenerator(seed: seed)
      return (0..<count).map { _ in Float(random.normal()) }
    }
  }
}
