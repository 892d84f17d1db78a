import RealModule
import TesseraKernels
import TesseraVerification
import Testing

/// Normalizations whose statistics belong to a sample, between guard pages, against the double-precision loops.
@Suite struct RowNormalizationTests {
  private static let epsilon: Float = 1e-3

  /// Additions behind a sum of n: 64 of a run, four chains and the lanes, and the runs.
  private static func chain(_ n: Int) -> Int { 80 + n / 64 }

  @Test(arguments: KernelCatalogue.supported, [0.0, 1e4])
  func layers(_ set: InstructionSet, center: Double) throws {
    let kernels = try kernels(of: set)
    for width in counts(set) + [8 * set.floatLanes + 3, 2500] {
      let rows = 3
      let x = GuardedBuffer(random(rows * width, seed: 1, center - 2, center + 2))
      let dy = GuardedBuffer(random(rows * width, seed: 2))
      let (scale, shift) = (GuardedBuffer(random(width, seed: 3, -2, 2)), GuardedBuffer(random(width, seed: 4, -2, 2)))
      let y = GuardedBuffer<Float>.poisoned(rows * width)
      let (mean, inverse) = (GuardedBuffer<Float>.poisoned(rows), GuardedBuffer<Float>.poisoned(rows))
      kernels.layerNormalize(
        rows: rows, width: width, x: x.pointer, scale: scale.pointer, shift: shift.pointer, epsilon: Self.epsilon,
        y: y.pointer, mean: mean.pointer, inverse: inverse.pointer)
      var expected = [Double](repeating: 0, count: rows * width)
      var (means, inverses) = ([Double](repeating: 0, count: rows), [Double](repeating: 0, count: rows))
      Reference.layerNormalize(
        rows: rows, width: width, x: x.doubles, scale: scale.doubles, shift: shift.doubles,
        epsilon: Double(Self.epsilon), y: &expected, mean: &means, inverse: &inverses)
      let what = "\(set) \(width) around \(center)"
      // The mean of numbers of size m is off by gamma m, and moves every deviation, whose largest is 4, by as much.
      let shiftError = gamma(Self.chain(width)) * (center + 2)
      expectClose(mean.values, means, "mean \(what)") { _ in shiftError }
      expectClose(inverse.values, inverses, "inverse \(what)") {
        let variance = 1 / (inverses[$0] * inverses[$0])
        return inverses[$0] * (gamma(Self.chain(width) + 6) + (8 + shiftError) * shiftError / variance)
      }
      expectClose(y.values, expected, "y \(what)") {
        let (row, c) = ($0 / width, $0 % width)
        let factor = inverses[row] * abs(Double(scale.pointer[c]))
        let variance = 1 / (inverses[row] * inverses[row])
        let relative = gamma(Self.chain(width) + 10) + (8 + shiftError) * shiftError / variance
        return factor * (shiftError + 4 * relative) + gamma(3) * abs(Double(shift.pointer[c]))
      }

      let dx = GuardedBuffer<Float>.poisoned(rows * width)
      let sums = GuardedBuffer<Float>.poisoned(2 * width)
      kernels.layerNormalizeBackward(
        rows: rows, width: width, dy: dy.pointer, x: x.pointer, mean: mean.pointer, inverse: inverse.pointer,
        scale: scale.pointer, dx: dx.pointer, sums: sums.pointer)
      var gradient = expected
      var (dscale, dshift) = ([Double](repeating: 0, count: width), [Double](repeating: 0, count: width))
      Reference.layerNormalizeBackward(
        rows: rows, width: width, dy: dy.doubles, x: x.doubles, mean: mean.doubles, inverse: inverse.doubles,
        scale: scale.doubles, dx: &gradient, dscale: &dscale, dshift: &dshift)
      expectClose(Array(sums.values.prefix(width)), dshift, "dshift \(what)") { _ in gamma(rows) * Double(rows) }
      // |xhat| is at most 4 inverse.
      expectClose(Array(sums.values.suffix(width)), dscale, "dscale \(what)") { _ in
        gamma(rows + 4) * Double(rows) * 4 * (inverse.doubles.max() ?? 0)
      }
      expectClose(dx.values, gradient, "dx \(what)") {
        let factor = Double(inverse.pointer[$0 / width])
        let normalized = 4 * factor
        return gamma(Self.chain(width) + 12) * factor * (2 + 2 + normalized * 2 * normalized)
      }
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func groupMoments(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for (channels, groups) in [(1, 1), (6, 6), (6, 3), (34, 2), (33, 1), (4 * set.floatLanes + 3, 1), (260, 2)] {
      for center in [0.0, 1e4] {
        let values = random(channels, seed: 5, center - 1, center + 1)
        let spreads = random(channels, seed: 6, 0.1, 2)
        let (mean, variance) = (GuardedBuffer(values), GuardedBuffer(spreads))
        kernels.groupMoments(
          channels: channels, groups: groups, mean: mean.pointer, variance: variance.pointer)
        let width = channels / groups
        for c in 0..<channels {
          let group = c / width * width..<c / width * width + width
          let middle = group.reduce(0.0) { $0 + Double(values[$1]) } / Double(width)
          let spread =
            group.reduce(0.0) {
              $0 + Double(spreads[$1]) + (Double(values[$1]) - middle) * (Double(values[$1]) - middle)
            } / Double(width)
          let what = "\(set) \(channels) in \(groups) around \(center), \(c)"
          // The mean's own rounding, and that of distances of at most 2.
          let error = gamma(2) * center + gamma(Self.chain(width)) * 4
          #expect(abs(Double(mean.pointer[c]) - middle) <= error, "mean \(what)")
          #expect(
            abs(Double(variance.pointer[c]) - spread) <= gamma(Self.chain(width) + 6) * 6 + 4 * error + error * error,
            "variance \(what)")
        }
      }
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func groupGradients(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for (channels, groups) in [(1, 1), (6, 6), (6, 3), (35, 35), (34, 2), (4 * set.floatLanes + 3, 1), (260, 2)] {
      let rows = 9
      let x = GuardedBuffer(random(rows * channels, seed: 7, 4, 6))
      let dy = GuardedBuffer(random(rows * channels, seed: 8))
      let scale = GuardedBuffer(random(channels, seed: 9, -2, 2))
      let (mean, variance) = (GuardedBuffer<Float>.poisoned(channels), GuardedBuffer<Float>.poisoned(channels))
      for c in 0..<channels { (mean.pointer[c], variance.pointer[c]) = (5, 0.5) }
      let sums = GuardedBuffer<Float>.poisoned(2 * channels)
      kernels.normalizationGradientSums(
        rows: rows, channels: channels, x: x.pointer, xPitch: channels, dy: dy.pointer, mean: mean.pointer,
        variance: variance.pointer, epsilon: Self.epsilon, sums: sums.pointer)
      let terms = GuardedBuffer<Float>.poisoned(3 * channels)
      kernels.groupGradientTerms(
        rows: rows, channels: channels, groups: groups, sums: sums.pointer, variance: variance.pointer,
        scale: scale.pointer, epsilon: Self.epsilon, terms: terms.pointer)
      let dx = GuardedBuffer<Float>.poisoned(rows * channels)
      kernels.groupNormalizeBackward(
        rows: rows, channels: channels, dy: dy.pointer, x: x.pointer, mean: mean.pointer, terms: terms.pointer,
        dx: dx.pointer)
      var expected = [Double](repeating: 0, count: rows * channels)
      var (dscale, dshift) = ([Double](repeating: 0, count: channels), [Double](repeating: 0, count: channels))
      Reference.groupNormalizeBackward(
        samples: 1, rows: rows, channels: channels, groups: groups, dy: dy.doubles, x: x.doubles, mean: mean.doubles,
        variance: variance.doubles, scale: scale.doubles, epsilon: Double(Self.epsilon), dx: &expected,
        dscale: &dscale, dshift: &dshift)
      let factor = 1 / 0.5.squareRoot()
      // Terms are at most 2, 2 and, with |xhat| at most the factor, its square times 2.
      expectClose(dx.values, expected, "\(set) \(channels) in \(groups)") { _ in
        gamma(Self.chain(channels) + rows + 20) * factor * (4 + 2 * factor * factor)
      }
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func localResponses(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for channels in counts(set) {
      for (before, after, beta) in [(2, 2, 0.75), (0, 0, 0.5), (1, 2, 1.25), (400, 5, 0.75), (3, 3, -0.5)] {
        let rows = 3
        let (alpha, bias) = (0.25, 1.5)
        let x = GuardedBuffer(random(rows * channels, seed: 10, -3, 3))
        let dy = GuardedBuffer(random(rows * channels, seed: 11))
        let scratch = GuardedBuffer<Float>.poisoned(
          kernels.localResponseScratchCount(channels: channels, before: before, after: after))
        let (y, dx) = (
          GuardedBuffer<Float>.poisoned(rows * channels), GuardedBuffer<Float>.poisoned(rows * channels)
        )
        kernels.localResponse(
          rows: rows, channels: channels, before: before, after: after, alpha: Float(alpha), beta: Float(beta),
          bias: Float(bias), x: x.pointer, y: y.pointer, scratch: scratch.pointer)
        kernels.localResponseBackward(
          rows: rows, channels: channels, before: before, after: after, alpha: Float(alpha), beta: Float(beta),
          bias: Float(bias), dy: dy.pointer, x: x.pointer, dx: dx.pointer, scratch: scratch.pointer)
        var (expected, gradient) = (
          [Double](repeating: 0, count: rows * channels), [Double](repeating: 0, count: rows * channels)
        )
        Reference.localResponse(
          rows: rows, channels: channels, before: before, after: after, alpha: alpha, beta: beta, bias: bias,
          x: x.doubles, y: &expected)
        Reference.localResponseBackward(
          rows: rows, channels: channels, before: before, after: after, alpha: alpha, beta: beta, bias: bias,
          dy: dy.doubles, x: x.doubles, dx: &gradient)
        let terms = min(before + after + 1, channels)
        let what = "\(set) \(channels) channels, \(before) before, \(after) after, beta \(beta)"
        // s is off by gamma, its power by |beta| times that, and by that of the logarithm's size.
        let relative = gamma(2 * terms + 20) * (1 + abs(beta)) + gamma(8) * abs(beta) * 8
        expectClose(y.values, expected, what) { relative * abs(expected[$0]) }
        // |dy| <= 1, |x| <= 3; s is bias or more, and at most this.
        let largest = bias + alpha * Double(terms) * 9
        let power = max(Double.pow(bias, -beta), Double.pow(largest, -beta))
        expectClose(dx.values, gradient, what) { _ in
          2 * relative * power * (1 + 2 * alpha * abs(beta) * 9 * Double(terms) / bias)
        }
      }
    }
  }

  /// A window of zeros without bias divides zero by zero, as in NumPy; one whose exponent is positive doesn't.
  @Test(arguments: KernelCatalogue.supported)
  func zerosWithoutBias(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let x = GuardedBuffer<Float>(repeating: 0, count: 7)
    let scratch = GuardedBuffer<Float>.poisoned(kernels.localResponseScratchCount(channels: 7, before: 1, after: 1))
    for beta: Float in [0.75, 0.5] {
      let y = GuardedBuffer<Float>(repeating: 1, count: 7)
      kernels.localResponse(
        rows: 1, channels: 7, before: 1, after: 1, alpha: 1, beta: beta, bias: 0, x: x.pointer, y: y.pointer,
        scratch: scratch.pointer)
      #expect(y.values.allSatisfy { $0.isNaN })
    }
  }
}
