import Foundation
import TesseraKernels
import TesseraVerification
import Testing

/// Operands of a convolution from -1 to 1, and what its three passes give of them, with bounds.
struct ConvolutionProblem {
  let geometry: ConvolutionGeometry
  let x: GuardedBuffer<Float>, w: GuardedBuffer<Float>, bias: GuardedBuffer<Float>, dy: GuardedBuffer<Float>
  let y: BoundedSums, dx: BoundedSums, dw: BoundedSums

  init(_ g: ConvolutionGeometry) {
    geometry = g
    var random = PhiloxGenerator(seed: UInt64(g.xCount * 31 + g.weightCount))
    let (x, w, bias) = (random.buffer(g.xCount), random.buffer(g.weightCount), random.buffer(g.k))
    let dy = random.buffer(g.yCount)
    y = BoundedSums(count: g.yCount) { operand, y in
      Reference.convolutionForward(
        g, x: operand(x), w: operand(w), bias: operand(bias), activation: .identity, y: &y)
    }
    dx = BoundedSums(count: g.xCount) { operand, dx in
      Reference.convolutionBackwardData(
        g, dy: operand(dy), w: operand(w), bias: nil, activation: .identity, dx: &dx)
    }
    dw = BoundedSums(count: g.weightCount) { operand, dw in
      Reference.convolutionBackwardWeights(g, x: operand(x), dy: operand(dy), dw: &dw)
    }
    (self.x, self.w, self.bias, self.dy) = (x, w, bias, dy)
  }

  /// Checks all passes that an algorithm doesn't refuse.
  /// - Parameter activations: what forward is followed by, one after the other.
  /// - Returns: the largest share of ``WinogradBound`` that Winograd's errors took.
  @discardableResult
  func check(
    _ kernels: any KernelSet.Type, _ settings: ConvolutionSettings, _ algorithm: ConvolutionAlgorithm,
    activations: [Activation] = [.identity]
  ) -> Double {
    var settings = settings
    settings.algorithm = algorithm
    var share = 0.0
    for pass in ConvolutionPass.allCases
    where kernels.refusal(algorithm, pass, geometry, numerics: settings.numerics) == nil {
      switch pass {
      case .forward:
        let plan = kernels.plan(pass, geometry, settings)
        for activation in activations {
          let result = convolve(
            plan, input: x, weights: w, bias: bias, activation: activation, count: geometry.yCount)
          share = max(share, check(result, pass, algorithm, plan.name, activation))
        }
      case .backwardData:
        let plan = kernels.plan(pass, geometry, settings)
        let result = convolve(plan, input: dy, weights: w, bias: nil, count: geometry.xCount)
        share = max(share, check(result, pass, algorithm, plan.name))
      case .backwardWeights:
        let plan = kernels.weightGradientPlan(geometry, settings)
        share = max(share, check(weightGradient(plan, x: x, dy: dy, geometry), pass, algorithm, plan.name))
      }
    }
    return share
  }

  /// Compares a pass' result element by element: direct sums with the bound of each, Winograd's with that of the worst.
  /// Activations don't stretch distances; 2e-6 is what they may be wrong by themselves.
  private func check(
    _ result: GuardedBuffer<Float>, _ pass: ConvolutionPass, _ algorithm: ConvolutionAlgorithm, _ name: String,
    _ activation: Activation = .identity
  ) -> Double {
    let expected =
      switch pass {
      case .forward: y
      case .backwardData: dx
      case .backwardWeights: dw
      }
    let sums = activation == .identity ? expected.sums : expected.sums.map { activated(activation, $0) }
    let own = activation == .identity ? 0 : 2e-6
    guard algorithm == .winograd else {
      expectClose(result.values, sums, "\(name), \(activation) of \(geometry)") { expected.tolerances[$0] + own }
      return 0
    }
    let (first, second) =
      switch pass {
      case .forward: (x, w)
      case .backwardData: (dy, w)
      case .backwardWeights: (x, dy)
      }
    // The bias is one more rounding of the result.
    let rounding = pass == .forward ? unitRoundoff * (expected.sums.map(abs).max() ?? 0) : 0
    let bound = WinogradBound.bound(pass, geometry, largest: first.largest * second.largest)
    expectClose(result.values, sums, "\(name), \(activation) of \(geometry)") { _ in
      bound * WinogradBound.allowed + rounding + own
    }
    guard bound > 0, activation == .identity else { return 0 }
    return zip(result.values, sums).reduce(0) { max($0, (abs(Double($1.0) - $1.1) - rounding) / bound) }
  }
}

extension GuardedBuffer<Float> {
  /// The largest magnitude.
  var largest: Double { doubles.reduce(0) { max($0, abs($1)) } }
}

private func activated(_ activation: Activation, _ z: Double) -> Double {
  switch activation {
  case .identity: z
  case .relu: max(0, z)
  case .leakyRelu(let slope): z < 0 ? slope * z : z
  case .clip(let lower, let upper): min(max(z, lower), upper)
  case .sigmoid: 1 / (1 + exp(-z))
  case .tanh: tanh(z)
  }
}
