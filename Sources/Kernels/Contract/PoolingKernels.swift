/// Pooling of NHWC images. A task is one row of the result: row = n * rows + y.
public protocol PoolingKernels {
  /// y is the maximum of the window's elements inside the image, `mask` their number r * S + s in the window. The first
  /// maximum in scan order wins; the first NaN beats all. A window entirely in the padding gives -infinity and mask 0.
  static func maxPool(
    _ geometry: PoolingGeometry, rows: Range<Int>, x: UnsafePointer<Float>,
    y: UnsafeMutablePointer<Float>, mask: UnsafeMutablePointer<Int32>, streams: Bool)

  /// dx sums the dy of those windows whose mask points at the element, in scan order of the windows. Rows are rows of
  /// dx. The mask is the only thing known of the forward pass.
  static func maxPoolBackward(
    _ geometry: PoolingGeometry, rows: Range<Int>, dy: UnsafePointer<Float>,
    mask: UnsafePointer<Int32>, dx: UnsafeMutablePointer<Float>, streams: Bool)

  /// y is the mean of the window, padding counted as zeros (`countPadding`: divided by the elements of the window that
  /// lie in the padded image) or left out (divided by the elements inside the image; an empty window gives 0).
  static func averagePool(
    _ geometry: PoolingGeometry, countPadding: Bool, rows: Range<Int>, x: UnsafePointer<Float>,
    y: UnsafeMutablePointer<Float>, streams: Bool)

  /// Rows are rows of dx.
  static func averagePoolBackward(
    _ geometry: PoolingGeometry, countPadding: Bool, rows: Range<Int>, dy: UnsafePointer<Float>,
    dx: UnsafeMutablePointer<Float>, streams: Bool)
}
