import TesseraKernelContract

/// What the windows of a convolution see of the image, one row of a matrix for each window: element (r, s, c) of row
/// (n, i, j) is the pixel that tap (r, s) of that window meets, 0 outside the image.
///
/// Forward's windows lie on x, one for each pixel of y. Backward-data's lie on dy as if `stride - 1` pixels of zeros
/// stood between its neighbours, one for each pixel of dx, and meet the taps in reverse order.
struct Patches: Sendable {
  private let images: Int
  private let y: TapAxis, x: TapAxis
  /// Positions of the axes from one pixel of the image to the next; those between are zeros.
  private let spreadY: Int, spreadX: Int
  private let height: Int, width: Int
  /// Channels of a pixel, and of one group.
  private let pixelStep: Int, channels: Int
  /// Whether all channels of a row of taps lie together in the image.
  private let isJoined: Bool
  /// Elements of a patch that lie together: a tap's channels, or those of a row of taps.
  private let run: Int
  private let runsPerRow: Int

  private init(
    images: Int, y: TapAxis, x: TapAxis, spreadY: Int, spreadX: Int, height: Int, width: Int, pixelStep: Int,
    groups: Int
  ) {
    (self.images, self.y, self.x, self.spreadY, self.spreadX) = (images, y, x, spreadY, spreadX)
    (self.height, self.width, self.pixelStep) = (height, width, pixelStep)
    channels = pixelStep / groups
    isJoined = groups == 1 && spreadX == 1 && x.offsetStep == 1
    runsPerRow = isJoined ? 1 : x.taps
    run = channels * x.taps / runsPerRow
  }

  init(forward g: ConvolutionGeometry) {
    self.init(
      images: g.n,
      y: .forward(
        window: g.r, stride: g.strideY, dilation: g.dilationY, pad: g.padTop, inputExtent: g.h, outputCount: g.p),
      x: .forward(
        window: g.s, stride: g.strideX, dilation: g.dilationX, pad: g.padLeft, inputExtent: g.w, outputCount: g.q),
      spreadY: 1, spreadX: 1, height: g.h, width: g.w, pixelStep: g.c, groups: g.groups)
  }

  /// dx row h meets tap r at position h + pad - r d of dy spread by the stride: h - ((R - 1) d - pad) + (R - 1 - r) d.
  init(backwardData g: ConvolutionGeometry) {
    self.init(
      images: g.n,
      y: .forward(
        window: g.r, stride: 1, dilation: g.dilationY, pad: (g.r - 1) * g.dilationY - g.padTop,
        inputExtent: (g.p - 1) * g.strideY + 1, outputCount: g.h),
      x: .forward(
        window: g.s, stride: 1, dilation: g.dilationX, pad: (g.s - 1) * g.dilationX - g.padLeft,
        inputExtent: (g.q - 1) * g.strideX + 1, outputCount: g.w),
      spreadY: g.strideY, spreadX: g.strideX, height: g.p, width: g.q, pixelStep: g.k, groups: g.groups)
  }

  /// Windows, the rows of the matrix.
  var count: Int { images * y.outputCount * x.outputCount }
  /// Elements of a patch, the columns.
  var depth: Int { y.taps * x.taps * channels }

  /// Floats that a task may spend on its part of the matrix: 100 KiB, which leaves level 2 to the other factor.
  static var room: Int { 25 << 10 }

  /// Windows whose pixels, some 200 KiB, stay in level 2 while the tasks of one group after the other take their channels
  /// from them.
  var windowsTogether: Int { max(1, 2 * Self.room / pixelStep) }

  /// Distance of the rows of a part of the matrix, in floats: an odd number of lines, so that rows fall into different
  /// sets of level 1, except where they are so short that padding would cost more.
  static func rowStep(depth: Int) -> Int { depth < 64 ? depth : (ceilingQuotient(depth, 16) | 1) * 16 }

  /// Floats of a part of the matrix, and of what the last store writes behind it.
  static func partCount(rows: Int, depth: Int) -> Int { rows * rowStep(depth: depth) + lanes }

  /// A part of one group's matrix: target[i step + j] for window i and element j of the ranges, step as by `rowStep`.
  /// Up to a vector behind the last element is written.
  func unroll(
    _ image: UnsafePointer<Float>, group: Int, windows: Range<Int>, elements: Range<Int>,
    _ target: UnsafeMutablePointer<Float>, step: Int
  ) {
    var column = windows.lowerBound % x.outputCount
    var row = windows.lowerBound / x.outputCount % y.outputCount
    var source = image + group &* channels
    source += windows.lowerBound / x.outputCount / y.outputCount &* height &* width &* pixelStep
    var target = target
    for _ in 0..<windows.count {
      unroll(source, row: row, column: column, elements, target)
      target += step
      column &+= 1
      if column == x.outputCount {
        column = 0
        row &+= 1
        if row == y.outputCount {
          row = 0
          source += height &* width &* pixelStep
        }
      }
    }
  }

  /// Elements of one patch, from the first to the last: a whole vector is stored where a part would do, and what it
  /// wrote too much is written again.
  @inline(__always)
  private func unroll(
    _ image: UnsafePointer<Float>, row: Int, column: Int, _ elements: Range<Int>, _ target: UnsafeMutablePointer<Float>
  ) {
    let yTaps = y.tapsInside(row)
    let xTaps = x.tapsInside(column)
    let firstY = row &* y.inputStep &+ y.offset
    let firstX = column &* x.inputStep &+ x.offset
    var r = elements.lowerBound / run / runsPerRow
    var s = elements.lowerBound / run % runsPerRow
    var start = elements.lowerBound % run
    var left = elements.count
    var target = target
    while left > 0 {
      let end = min(run, start &+ left)
      // Elements of the run that are inside the image, and where its element 0 is or would be.
      var (lower, upper) = (end, end)
      var source = image
      let positionY = firstY &+ r &* y.offsetStep
      if r >= yTaps.first, r < yTaps.first &+ yTaps.count, isPixel(positionY, spread: spreadY) {
        source += pixel(positionY, spread: spreadY) &* width &* pixelStep
        if isJoined {
          source += firstX &* pixelStep
          lower = min(end, max(start, xTaps.first &* channels))
          upper = max(lower, min(end, (xTaps.first &+ xTaps.count) &* channels))
        } else {
          let positionX = firstX &+ s &* x.offsetStep
          if s >= xTaps.first, s < xTaps.first &+ xTaps.count, isPixel(positionX, spread: spreadX) {
            source += pixel(positionX, spread: spreadX) &* pixelStep
            lower = start
          }
        }
      }
      clear(target, lower &- start)
      copyRows(source + lower, step: 0, target + (lower &- start), rows: 1, valid: upper &- lower)
      clear(target + (upper &- start), end &- upper)
      target += end &- start
      left &-= end &- start
      start = 0
      s &+= 1
      if s == runsPerRow { (r, s) = (r &+ 1, 0) }
    }
  }

  @inline(__always)
  private func isPixel(_ position: Int, spread: Int) -> Bool { spread == 1 || position % spread == 0 }

  @inline(__always)
  private func pixel(_ position: Int, spread: Int) -> Int { spread == 1 ? position : position / spread }

  /// Zeros, up to whole vectors.
  @inline(__always)
  private func clear(_ target: UnsafeMutablePointer<Float>, _ count: Int) {
    var i = 0
    while i < count {
      store(Vector.zero, target + i)
      i &+= lanes
    }
  }
}
