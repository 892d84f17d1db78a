/// Normalizations whose statistics belong to a sample, not to a batch: of rows (layer normalization), of channels in
/// groups (group and instance normalization), of neighbouring channels (local response normalization). Tensors are of
/// Float, dense and row-major; no pointer needs an alignment. A result may be the same pointer as an operand of its size.
public protocol RowNormalizationKernels {
  /// y = (x - mean) inverse scale + shift for each row of x [rows, width], with the row's mean and inverse = 1 /
  /// sqrt(variance + epsilon), which are written to [rows]; the variance is biased. scale, shift: [width].
  static func layerNormalize(
    rows: Int, width: Int, x: UnsafePointer<Float>, scale: UnsafePointer<Float>, shift: UnsafePointer<Float>,
    epsilon: Float, y: UnsafeMutablePointer<Float>, mean: UnsafeMutablePointer<Float>,
    inverse: UnsafeMutablePointer<Float>)

  /// dx = inverse (dy scale - mean of dy scale - xhat mean of dy scale xhat), xhat = (x - mean) inverse, means over a row;
  /// writes [sum of dy 0..<width, sum of dy xhat 0..<width] over the rows to `sums`.
  static func layerNormalizeBackward(
    rows: Int, width: Int, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, mean: UnsafePointer<Float>,
    inverse: UnsafePointer<Float>, scale: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>,
    sums: UnsafeMutablePointer<Float>)

  /// From mean and biased variance of each channel, all over as many values, those of each of `groups` groups of neighbouring
  /// channels, in their place: each channel gets its group's.
  static func groupMoments(
    channels: Int, groups: Int, mean: UnsafeMutablePointer<Float>, variance: UnsafeMutablePointer<Float>)

  /// What dx of a group normalization is made of. From `sums` of ``NormalizationKernels/normalizationGradientSums`` over
  /// all `rows` of one sample, and mean and variance as ``groupMoments`` gives them: [factor, slope, offset], each of
  /// `channels`, for ``groupNormalizeBackward``.
  static func groupGradientTerms(
    rows: Int, channels: Int, groups: Int, sums: UnsafePointer<Float>, variance: UnsafePointer<Float>,
    scale: UnsafePointer<Float>, epsilon: Float, terms: UnsafeMutablePointer<Float>)

  /// dx = factor dy + slope (x - mean) + offset for each row of [rows, channels], with terms = [factor, slope, offset].
  static func groupNormalizeBackward(
    rows: Int, channels: Int, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, mean: UnsafePointer<Float>,
    terms: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>)

  /// y[c] = x[c] / s[c]^beta for each row of x [rows, channels], where s[c] = bias + alpha times the sum of x[j]^2 over
  /// c - before <= j <= c + after inside the row. `scratch`: ``localResponseScratchCount(channels:before:after:)`` floats.
  static func localResponse(
    rows: Int, channels: Int, before: Int, after: Int, alpha: Float, beta: Float, bias: Float, x: UnsafePointer<Float>,
    y: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>)

  /// dx[c] = dy[c] / s[c]^beta - 2 alpha beta x[c] times the sum of dy[j] x[j] / s[j]^(beta + 1) over those j whose window
  /// holds c.
  static func localResponseBackward(
    rows: Int, channels: Int, before: Int, after: Int, alpha: Float, beta: Float, bias: Float,
    dy: UnsafePointer<Float>, x: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>)

  /// Floats of scratch of both.
  static func localResponseScratchCount(channels: Int, before: Int, after: Int) -> Int
}
