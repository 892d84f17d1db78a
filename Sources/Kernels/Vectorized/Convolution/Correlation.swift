import TesseraKernelContract

/// The one computation behind forward, backward-data and matrix products: for every phase of the output,
///
/// out[n, y, x, g filters + k] = f(bias + sum over taps (t, u) inside the image and 0 <= c < depth of
///   in[n, y(u), x(t), g depth + c] packed[g, k, u, t, c])
///
/// with axes as in ``TapAxis``. Padding is never copied nor multiplied: outputs are cut into boxes that meet the same
/// taps. Channelwise (depthwise) convolutions are the same walk with another tile: there c = k and depth is 1.
///
/// Packed weights: [groups][block][tap row][tap column][depth][width], where a block holds `vectors` vectors of output
/// channels, the last block of a group as many as it needs, its tail padded with zeros.
struct Correlation: Sendable {
  enum Kind: Sendable { case product, channelwise }

  var kind = Kind.product
  /// What phase 0 of the output looks like; backward-data derives the others from the geometry.
  var geometry: ConvolutionGeometry?
  var yAxis: TapAxis, xAxis: TapAxis
  var yPhases = 1, xPhases = 1
  var images: Int, groups: Int, depth: Int, filters: Int
  /// Groups of the geometry that are one here (`joinGroups`).
  var joinedGroups = 1
  /// Taps of the packed window, of which a phase may use some.
  var windowHeight: Int, windowWidth: Int
  // Distances in memory, in floats.
  var imageInput: Int, rowInput: Int, columnInput: Int, depthInput: Int
  var imageOutput: Int, rowOutput: Int, columnOutput: Int

  // Blocking, chosen by `chooseBlocking`.
  var vectors = 1
  var depthChunk = 0
  /// Whether the output is too large for the caches to keep and may go past them.
  var exceedsCaches = false
  var blocksPerTask = 1, imagesPerTask = 1, rowsPerTask = 1, columnsPerTask = 1

  var taps: Int { windowHeight * windowWidth }
  var width: Int { vectors * lanes }
  var blocks: Int { ceilingQuotient(filters, width) }
  /// Floats of one group of packed weights.
  var groupPacked: Int { taps * depth * ceilingQuotient(filters, lanes) * lanes }

  var blockChunks: Int { ceilingQuotient(blocks, blocksPerTask) }
  var imageChunks: Int { ceilingQuotient(images, imagesPerTask) }
  var rowChunks: Int { ceilingQuotient(yAxis.outputCount, rowsPerTask) }
  var columnChunks: Int { ceilingQuotient(xAxis.outputCount, columnsPerTask) }
  var taskCount: Int {
    groups * blockChunks * imageChunks * yPhases * xPhases * rowChunks * columnChunks
  }

  var maximumRows: Int {
    kind == .product ? TileList.maximumRows(vectors: vectors) : ChannelTileList.maximumRows
  }

  func yAxis(phase: Int) -> TapAxis {
    guard yPhases > 1, let g = geometry else { return yAxis }
    return .backward(
      window: g.r, stride: g.strideY, dilation: g.dilationY, pad: g.padTop, inputExtent: g.p, extent: g.h,
      phase: phase)
  }

  func xAxis(phase: Int) -> TapAxis {
    guard xPhases > 1, let g = geometry else { return xAxis }
    return .backward(
      window: g.s, stride: g.strideX, dilation: g.dilationX, pad: g.padLeft, inputExtent: g.q, extent: g.w,
      phase: phase)
  }
}

extension Correlation {
  init(forward g: ConvolutionGeometry) {
    let channelwise = g.channelsPerGroup == 1 && g.filtersPerGroup == 1 && g.groups > 1
    self.init(
      yAxis: .forward(
        window: g.r, stride: g.strideY, dilation: g.dilationY, pad: g.padTop, inputExtent: g.h,
        outputCount: g.p),
      xAxis: .forward(
        window: g.s, stride: g.strideX, dilation: g.dilationX, pad: g.padLeft, inputExtent: g.w,
        outputCount: g.q),
      images: g.n, groups: channelwise ? 1 : g.groups, depth: g.channelsPerGroup,
      filters: channelwise ? g.k : g.filtersPerGroup, windowHeight: g.r, windowWidth: g.s,
      imageInput: g.h * g.w * g.c, rowInput: g.w * g.c, columnInput: g.c, depthInput: 1,
      imageOutput: g.p * g.q * g.k, rowOutput: g.q * g.k, columnOutput: g.k)
    kind = channelwise ? .channelwise : .product
    joinGroups()
    flattenPixels()
  }

  init(backwardData g: ConvolutionGeometry) {
    let channelwise = g.channelsPerGroup == 1 && g.filtersPerGroup == 1 && g.groups > 1
    self.init(
      geometry: g,
      yAxis: .backward(
        window: g.r, stride: g.strideY, dilation: g.dilationY, pad: g.padTop, inputExtent: g.p,
        extent: g.h, phase: 0),
      xAxis: .backward(
        window: g.s, stride: g.strideX, dilation: g.dilationX, pad: g.padLeft, inputExtent: g.q,
        extent: g.w, phase: 0),
      yPhases: g.strideY, xPhases: g.strideX,
      images: g.n, groups: channelwise ? 1 : g.groups, depth: g.filtersPerGroup,
      filters: channelwise ? g.c : g.channelsPerGroup, windowHeight: g.r, windowWidth: g.s,
      imageInput: g.p * g.q * g.k, rowInput: g.q * g.k, columnInput: g.k, depthInput: 1,
      imageOutput: g.h * g.w * g.c, rowOutput: g.w * g.c, columnOutput: g.c)
    kind = channelwise ? .channelwise : .product
    joinGroups()
    flattenPixels()
  }

  init(product g: MatrixProductGeometry) {
    self.init(
      yAxis: .forward(window: 1, stride: 1, dilation: 1, pad: 0, inputExtent: 1, outputCount: 1),
      xAxis: .forward(window: 1, stride: 1, dilation: 1, pad: 0, inputExtent: g.m, outputCount: g.m),
      images: 1, groups: 1, depth: g.k, filters: g.n, windowHeight: 1, windowWidth: 1,
      imageInput: 0, rowInput: 0, columnInput: g.transposeA ? 1 : g.k, depthInput: g.transposeA ? g.m : 1,
      imageOutput: 0, rowOutput: 0, columnOutput: g.n)
  }

  /// Pixels of the input are channels of wider ones, so many floats apart.
  mutating func setInputPitch(_ pitch: Int) {
    (rowInput, imageInput) = (rowInput / columnInput * pitch, imageInput / columnInput * pitch)
    columnInput = pitch
  }

  /// Pixels of the output, likewise.
  mutating func setOutputPitch(_ pitch: Int) {
    (rowOutput, imageOutput) = (rowOutput / columnOutput * pitch, imageOutput / columnOutput * pitch)
    columnOutput = pitch
    exceedsCaches = exceedsCaches && pitch % lanes == 0
  }

  /// One image alone, whose output stays in the caches.
  mutating func takeOneImage() {
    (images, imagesPerTask, exceedsCaches) = (1, 1, false)
  }

  /// Groups of few output channels fill a vector together, with weights of 0 between them: as many multiply-adds as with
  /// a vector for each group, but every line of a pixel is read once and not for each group. A depth that isn't finite
  /// makes the groups that it is joined with NaN.
  private mutating func joinGroups() {
    guard kind == .product, groups > 1 else { return }
    var count = min(groups, lanes / max(1, filters))
    while count > 1, groups % count != 0 { count -= 1 }
    guard count > 1 else { return }
    (joinedGroups, groups) = (count, groups / count)
    (depth, filters) = (depth * count, filters * count)
  }

  /// A 1 x 1 window without stride and padding sees all pixels of all images as one long row.
  private mutating func flattenPixels() {
    guard taps == 1, yPhases == 1, xPhases == 1, yAxis.inputStep == 1, xAxis.inputStep == 1,
      yAxis.offset == 0, xAxis.offset == 0, yAxis.inputExtent == yAxis.outputCount,
      xAxis.inputExtent == xAxis.outputCount
    else { return }
    xAxis.inputExtent = images * yAxis.outputCount * xAxis.outputCount
    xAxis.outputCount = xAxis.inputExtent
    (images, yAxis.inputExtent, yAxis.outputCount) = (1, 1, 1)
  }
}
