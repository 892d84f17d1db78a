import TesseraKernels
import TesseraVerification
import Testing

@Suite struct NormalizationTests {
  /// Additions in a row of any sum over rows: runs of 64, then one for each run.
  static func chain(_ rows: Int) -> Int { 64 + (rows + 63) / 64 }

  static let epsilon: Float = 1e-5
  static let rowCounts = [1, 2, 7, 64, 65, 211]

  @Test(arguments: KernelCatalogue.supported)
  func channelSums(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for channels in counts(set) {
      for rows in Self.rowCounts {
        let x = GuardedBuffer(random(rows * channels, seed: 1))
        let sums = GuardedBuffer<Float>.poisoned(channels)
        var expected = [Double](repeating: 0, count: channels)
        Reference.channelSums(rows: rows, channels: channels, x: x.doubles, sums: &expected)
        kernels.channelSums(rows: rows, channels: channels, x: x.pointer, sums: sums.pointer)
        expectClose(sums.values, expected, "channelSums \(set) \(rows) x \(channels)") { _ in
          gamma(Self.chain(rows)) * Double(rows)
        }
      }
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func partials(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for count in counts(set) {
      let chunks = 5
      let partials = GuardedBuffer(random(chunks * count, seed: 2))
      let result = GuardedBuffer<Float>.poisoned(count)
      kernels.addPartials(
        chunks: chunks, count: count, partials: partials.pointer, result: result.pointer)
      let inOrder = (0..<count).map { i in
        (0..<chunks).reduce(Float.zero) { $0 + partials.pointer[$1 * count + i] }
      }
      expectSame(result.values, inOrder, "addPartials \(set) \(count)")
    }
  }

  /// Chunks of 50 rows, the last shorter, combined; with mean 0 and with mean 1e4 and deviation 1, where a difference
  /// of squares would leave nothing. Deviations from a shift near the mean are exact, so the error doesn't know the
  /// mean.
  @Test(arguments: KernelCatalogue.supported, [0.0, 1e4])
  func moments(_ set: InstructionSet, center: Double) throws {
    let kernels = try kernels(of: set)
    for channels in counts(set) {
      for rows in Self.rowCounts {
        let deviation = 3.0.squareRoot()
        let x = GuardedBuffer(random(rows * channels, seed: 3, center - deviation, center + deviation))
        let rowsPerChunk = 50
        let chunks = (rows + rowsPerChunk - 1) / rowsPerChunk
        let moments = GuardedBuffer<Float>.poisoned(chunks * 2 * channels)
        let mean = GuardedBuffer<Float>.poisoned(channels)
        let variance = GuardedBuffer<Float>.poisoned(channels)
        for chunk in 0..<chunks {
          let first = chunk * rowsPerChunk
          kernels.channelMoments(
            rows: min(rowsPerChunk, rows - first), channels: channels, x: x.pointer + first * channels,
            xPitch: channels, moments: moments.pointer + chunk * 2 * channels)
        }
        kernels.combineMoments(
          chunks: chunks, rowsPerChunk: rowsPerChunk, rows: rows, channels: channels,
          moments: moments.pointer, mean: mean.pointer, variance: variance.pointer)
        var expectedMean = [Double](repeating: 0, count: channels)
        var expectedVariance = expectedMean
        Reference.channelMoments(
          rows: rows, channels: channels, x: x.doubles, mean: &expectedMean,
          variance: &expectedVariance)
        let what = "moments \(set) \(rows) x \(channels) around \(center)"
        // Deviations are at most 2 sqrt 3; the mean itself is rounded with each chunk's and at the end.
        expectClose(mean.values, expectedMean, what) {
          gamma(Self.chain(rows)) * 2 * deviation + 3 * unitRoundoff * abs(expectedMean[$0])
        }
        // A chunk's mean is rounded: a variance of at most 12 feels (mean * roundoff) times a deviation.
        expectClose(variance.values, expectedVariance, what) { _ in
          gamma(Self.chain(rows) + 8) * 12 + 2 * deviation * 2 * unitRoundoff * center / 8
            + (2 * unitRoundoff * center) * (2 * unitRoundoff * center)
        }
      }
    }
  }

  /// Parameters of a normalization over `channels`, and x and dy of `rows`.
  struct Problem {
    let rows: Int, channels: Int
    let x: GuardedBuffer<Float>, dy: GuardedBuffer<Float>
    let mean: GuardedBuffer<Float>, variance: GuardedBuffer<Float>
    let scale: GuardedBuffer<Float>, shift: GuardedBuffer<Float>

    init(rows: Int, channels: Int) {
      (self.rows, self.channels) = (rows, channels)
      x = GuardedBuffer(random(rows * channels, seed: 4, 9, 12))
      dy = GuardedBuffer(random(rows * channels, seed: 5))
      mean = GuardedBuffer(random(channels, seed: 6, 10, 11))
      variance = GuardedBuffer(random(channels, seed: 7, 0.1, 2))
      scale = GuardedBuffer(random(channels, seed: 8, -2, 2))
      shift = GuardedBuffer(random(channels, seed: 9, -2, 2))
    }

    /// |x - mean| / sqrt(variance + epsilon) of element i.
    func normalized(_ i: Int) -> Double {
      let c = i % channels
      return abs(Double(x.pointer[i]) - Double(mean.pointer[c])) / deviation(c)
    }

    func deviation(_ c: Int) -> Double {
      (Double(variance.pointer[c]) + Double(epsilon)).squareRoot()
    }
  }

  /// Roundings in a row: the difference, variance + epsilon, its root, the reciprocal, the factor, and the
  /// multiply-add's two.
  @Test(arguments: KernelCatalogue.supported)
  func normalize(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for channels in counts(set) {
      let problem = Problem(rows: 5, channels: channels)
      let y = GuardedBuffer<Float>.poisoned(5 * channels)
      var expected = [Double](repeating: 0, count: y.count)
      Reference.normalize(
        rows: 5, channels: channels, x: problem.x.doubles, mean: problem.mean.doubles,
        variance: problem.variance.doubles, scale: problem.scale.doubles,
        shift: problem.shift.doubles, epsilon: Double(Self.epsilon), y: &expected)
      kernels.normalize(
        rows: 5, channels: channels, x: problem.x.pointer, xPitch: channels, mean: problem.mean.pointer,
        variance: problem.variance.pointer, scale: problem.scale.pointer,
        shift: problem.shift.pointer, epsilon: Self.epsilon, y: y.pointer, streams: false)
      expectClose(y.values, expected, "normalize \(set) \(channels)") { i in
        let c = i % channels
        let scaled = problem.normalized(i) * abs(Double(problem.scale.pointer[c]))
        return gamma(7) * (scaled + abs(Double(problem.shift.pointer[c])))
      }
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func gradients(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for channels in counts(set) {
      for rows in Self.rowCounts {
        let problem = Problem(rows: rows, channels: channels)
        let sums = GuardedBuffer<Float>.poisoned(2 * channels)
        var dscale = [Double](repeating: 0, count: channels)
        var dshift = dscale
        Reference.normalizationGradients(
          rows: rows, channels: channels, x: problem.x.doubles, dy: problem.dy.doubles,
          mean: problem.mean.doubles, variance: problem.variance.doubles, epsilon: Double(Self.epsilon),
          dscale: &dscale, dshift: &dshift)
        kernels.normalizationGradientSums(
          rows: rows, channels: channels, x: problem.x.pointer, xPitch: channels, dy: problem.dy.pointer,
          mean: problem.mean.pointer, variance: problem.variance.pointer, epsilon: Self.epsilon,
          sums: sums.pointer)
        let what = "normalizationGradientSums \(set) \(rows) x \(channels)"
        expectClose(Array(sums.values.prefix(channels)), dshift, what) { _ in
          gamma(Self.chain(rows)) * Double(rows)
        }
        expectClose(Array(sums.values.suffix(channels)), dscale, what) { c in
          let terms = stride(from: c, to: rows * channels, by: channels).map(problem.normalized)
          return gamma(Self.chain(rows) + 6) * terms.reduce(0, +)
        }

        let dx = GuardedBuffer<Float>.poisoned(rows * channels)
        var expected = [Double](repeating: 0, count: dx.count)
        let (scaleSums, shiftSums) = (dscale.map(Float.init), dshift.map(Float.init))
        Reference.normalizeBackward(
          rows: rows, channels: channels, x: problem.x.doubles, dy: problem.dy.doubles,
          mean: problem.mean.doubles, variance: problem.variance.doubles,
          scale: problem.scale.doubles, dscale: scaleSums.map(Double.init),
          dshift: shiftSums.map(Double.init), epsilon: Double(Self.epsilon), dx: &expected)
        kernels.normalizeBackward(
          rows: rows, totalRows: rows, channels: channels, x: problem.x.pointer, xPitch: channels,
          dy: problem.dy.pointer, mean: problem.mean.pointer, variance: problem.variance.pointer,
          scale: problem.scale.pointer, dscale: scaleSums, dshift: shiftSums, epsilon: Self.epsilon,
          dx: dx.pointer, streams: false)
        expectClose(dx.values, expected, "normalizeBackward \(set) \(rows) x \(channels)") { i in
          let c = i % channels
          let terms =
            abs(Double(problem.dy.pointer[i])) + abs(dshift[c]) / Double(rows)
            + problem.normalized(i) * abs(dscale[c]) / Double(rows)
          return gamma(12) * abs(Double(problem.scale.pointer[c])) / problem.deviation(c) * terms
        }
      }
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func frozenGradient(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for channels in counts(set) {
      let problem = Problem(rows: 3, channels: channels)
      let dx = GuardedBuffer<Float>.poisoned(3 * channels)
      var expected = [Double](repeating: 0, count: dx.count)
      Reference.normalizeBackwardFrozen(
        rows: 3, channels: channels, dy: problem.dy.doubles, variance: problem.variance.doubles,
        scale: problem.scale.doubles, epsilon: Double(Self.epsilon), dx: &expected)
      kernels.normalizeBackwardFrozen(
        rows: 3, channels: channels, dy: problem.dy.pointer, variance: problem.variance.pointer,
        scale: problem.scale.pointer, epsilon: Self.epsilon, dx: dx.pointer, streams: false)
      expectClose(dx.values, expected, "normalizeBackwardFrozen \(set) \(channels)") {
        gamma(6) * abs(expected[$0])
      }
    }
  }
}
