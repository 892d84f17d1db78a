/// Sums over the rows of matrices [rows, channels] (an NHWC tensor with N H W rows), and batch normalization built of
/// them. Where a function takes `xPitch`, x may be channels of wider rows: that many floats lie between the beginnings
/// of two of its rows.
///
/// A reduction is `chunks` partial results, each over a run of rows, combined in the order of the chunks; how rows are
/// cut into chunks depends on the problem only.
public protocol NormalizationKernels {
  /// sums[c] = sum over rows of x[row, c]; writes `channels` floats.
  static func channelSums(
    rows: Int, channels: Int, x: UnsafePointer<Float>, sums: UnsafeMutablePointer<Float>)

  /// Mean and sum of squared deviations from that mean, of one chunk: writes [mean 0..<C, m2 0..<C]. Accurate for mean
  /// 1e4 and deviation 1: a shift or two passes, no difference of large squares.
  static func channelMoments(
    rows: Int, channels: Int, x: UnsafePointer<Float>, xPitch: Int, moments: UnsafeMutablePointer<Float>)

  /// Combines chunks of `channelMoments` ([chunks][2][C], chunk i over rowCounts(i) rows) in order with Chan's formula:
  /// mean [C], biased variance [C].
  static func combineMoments(
    chunks: Int, rowsPerChunk: Int, rows: Int, channels: Int, moments: UnsafePointer<Float>,
    mean: UnsafeMutablePointer<Float>, variance: UnsafeMutablePointer<Float>)

  /// y = (x - mean) / sqrt(variance + epsilon) * scale + shift.
  static func normalize(
    rows: Int, channels: Int, x: UnsafePointer<Float>, xPitch: Int, mean: UnsafePointer<Float>,
    variance: UnsafePointer<Float>, scale: UnsafePointer<Float>, shift: UnsafePointer<Float>,
    epsilon: Float, y: UnsafeMutablePointer<Float>, streams: Bool)

  /// Writes [sum of dy 0..<C, sum of dy * xhat 0..<C] of one chunk, xhat = (x - mean) / sqrt(variance + epsilon).
  static func normalizationGradientSums(
    rows: Int, channels: Int, x: UnsafePointer<Float>, xPitch: Int, dy: UnsafePointer<Float>,
    mean: UnsafePointer<Float>, variance: UnsafePointer<Float>, epsilon: Float,
    sums: UnsafeMutablePointer<Float>)

  /// dx = scale / sqrt(variance + epsilon) * (dy - dshift / M - xhat * dscale / M), M = totalRows;
  /// the statistics were computed from x. dshift, dscale: the combined sums above.
  static func normalizeBackward(
    rows: Int, totalRows: Int, channels: Int, x: UnsafePointer<Float>, xPitch: Int, dy: UnsafePointer<Float>,
    mean: UnsafePointer<Float>, variance: UnsafePointer<Float>, scale: UnsafePointer<Float>,
    dscale: UnsafePointer<Float>, dshift: UnsafePointer<Float>, epsilon: Float,
    dx: UnsafeMutablePointer<Float>, streams: Bool)

  /// dx = dy * scale / sqrt(variance + epsilon): the statistics are constants.
  static func normalizeBackwardFrozen(
    rows: Int, channels: Int, dy: UnsafePointer<Float>, variance: UnsafePointer<Float>,
    scale: UnsafePointer<Float>, epsilon: Float, dx: UnsafeMutablePointer<Float>, streams: Bool)

  /// result[i] = sum over chunks j of partials[j * count + i], in order of j.
  static func addPartials(
    chunks: Int, count: Int, partials: UnsafePointer<Float>, result: UnsafeMutablePointer<Float>)
}
