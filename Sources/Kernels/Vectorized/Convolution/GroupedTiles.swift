import TesseraKernelContract

/// How a convolution of narrow groups (one channel: depthwise) with a square window is cut into tiles and tasks, and where
/// a tile's pixels are. Each group has `width` channels on either side.
///
/// out[n,y,x,g width + k] =
///   sum over i, j, 0 <= d < width of in[n, y stride - padTop + i, x stride - padLeft + j, g width + d] w[i, j, d, g width + k]
struct GroupedTiles: Sendable {
  /// Rows of outputs of a tile.
  private static var rows: Int { 2 }

  let images: Int, channels: Int
  /// Channels of a group.
  let width: Int
  let inputHeight: Int, inputWidth: Int
  let outputHeight: Int, outputWidth: Int
  let taps: Int, stride: Int
  let padTop: Int, padLeft: Int
  /// Wide tiles of a row; the rest are narrow ones.
  private let wideTiles: Int, narrowTiles: Int
  private let rowTilesPerTask: Int, imagesPerTask: Int

  /// Square windows with stride 1 or 2 in the sizes of ``GroupedTileList``, and backward-data with stride 1: the same sum
  /// with the window turned around.
  static func serve(_ pass: ConvolutionPass, _ g: ConvolutionGeometry) -> Bool {
    g.groups > 1 && g.channelsPerGroup == g.filtersPerGroup && g.c >= lanes && g.r == g.s && g.strideY == g.strideX
      && g.dilationY == 1 && g.dilationX == 1
      && GroupedTileList.serves(taps: g.r, stride: g.strideX, width: g.channelsPerGroup)
      && (pass != .backwardData || g.strideX == 1)
  }

  /// - Parameter mostTasks: where each task costs memory.
  init(_ pass: ConvolutionPass, _ g: ConvolutionGeometry, mostTasks: Int = .max) {
    let isBackward = pass == .backwardData
    (images, channels, width, taps, stride) = (g.n, g.c, g.channelsPerGroup, g.r, g.strideX)
    (inputHeight, inputWidth) = isBackward ? (g.p, g.q) : (g.h, g.w)
    (outputHeight, outputWidth) = isBackward ? (g.h, g.w) : (g.p, g.q)
    (padTop, padLeft) = isBackward ? (g.r - 1 - g.padTop, g.s - 1 - g.padLeft) : (g.padTop, g.padLeft)
    (wideTiles, narrowTiles) = Self.tiles(covering: outputWidth)
    let rowTiles = ceilingQuotient(outputHeight, Self.rows)
    let flops = 2 * Double(images * outputHeight * outputWidth * taps * taps * width * channels)
    let tasks = max(1, min(mostTasks, Int(flops / taskFlops(flops))))
    let perTask = ceilingQuotient(images * rowTiles, tasks)
    rowTilesPerTask = evenShare(rowTiles, at: perTask)
    imagesPerTask = rowTilesPerTask >= rowTiles ? evenShare(images, at: perTask / max(1, rowTiles)) : 1
  }

  /// Numbers of tiles that leave the fewest outputs behind the edge.
  private static func tiles(covering width: Int) -> (wide: Int, narrow: Int) {
    var best = (wide: 0, narrow: 0)
    var least = Int.max
    for wide in 0...ceilingQuotient(width, GroupedTileList.wide) {
      let narrow = ceilingQuotient(max(0, width - wide * GroupedTileList.wide), GroupedTileList.narrow)
      let covered = wide * GroupedTileList.wide + narrow * GroupedTileList.narrow
      if covered <= least { (best, least) = ((wide, narrow), covered) }
    }
    return best
  }

  /// Kind, instruction set and tile, for kernels' names.
  var name: String {
    let kind = width == 1 ? "depthwise" : "grouped"
    let columns = wideTiles > 0 ? GroupedTileList.wide : GroupedTileList.narrow
    return "\(kind).f32.\(Kernels.instructionSet.name).\(Self.rows)x\(columns)"
  }

  private var rowChunks: Int {
    ceilingQuotient(ceilingQuotient(outputHeight, Self.rows), rowTilesPerTask)
  }
  var taskCount: Int { rowChunks * ceilingQuotient(images, imagesPerTask) }
  /// Columns that the last tile covers beyond the row are computed too. A tile loads a row's vectors once for all outputs
  /// that meet them, about as many loads as multiply-adds at half their rate.
  var multiplyAddSteps: Double {
    let columns = wideTiles * GroupedTileList.wide + narrowTiles * GroupedTileList.narrow
    return 2 * Double(images * ceilingQuotient(outputHeight, Self.rows) * Self.rows)
      * Double(columns * planes * vectors)
  }

  // MARK: Weights

  /// Vectors of channels; the last one ends with the last channel.
  var vectors: Int { ceilingQuotient(channels, lanes) }
  /// Weights of an output channel: vectors of weights of a vector of channels.
  var planes: Int { taps * taps * width }
  /// Floats of weights in the order of tiles, [vectors][taps][taps][width][lanes].
  var packedCount: Int { vectors * planes * lanes }

  @inline(__always)
  func firstChannel(_ vector: Int) -> Int { min(vector &* lanes, channels &- lanes) }

  // MARK: Tiles

  private var inputRows: Int { stride &+ taps }

  /// Floats that a table of so many pointers takes, in whole cache lines.
  private static func tableCount(_ pointers: Int) -> Int { ceilingQuotient(pointers, 8) * 16 }
  private var inputTableCount: Int {
    Self.tableCount(inputRows * ((GroupedTileList.wide - 1) * stride + taps))
  }
  private var outputTableCount: Int { Self.tableCount(Self.rows * GroupedTileList.wide) }
  private var pixelCount: Int { ceilingQuotient(channels, 16) * 16 }

  /// Both tables, a pixel of zeros, and one for what is written behind the edge.
  var scratchCount: Int { inputTableCount + outputTableCount + 2 * pixelCount }

  /// The tables in a worker's scratch memory, its pixel of zeros cleared.
  func pointers(in scratch: UnsafeMutablePointer<Float>) -> GroupedPointers {
    let zeros = scratch + (inputTableCount &+ outputTableCount)
    zeros.update(repeating: 0, count: pixelCount)
    return GroupedPointers(
      input: UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: UnsafePointer<Float>.self),
      output: UnsafeMutableRawPointer(scratch + inputTableCount)
        .assumingMemoryBound(to: UnsafeMutablePointer<Float>.self),
      zeros: UnsafePointer(zeros), spare: zeros + pixelCount,
      inputBelow: Self.rows &* stride &* inputWidth &* channels, outputBelow: Self.rows &* outputWidth &* channels)
  }

  /// Calls `body` for each tile of a task with its width and its outputs that exist, the pointers being set.
  /// - Parameter behindEdge: where outputs behind the edge are.
  @inline(__always)
  func forEachTile(
    ofTask task: Int, _ pointers: GroupedPointers, input: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>,
    behindEdge: UnsafeMutablePointer<Float>, _ body: (Tile) -> Void
  ) {
    let firstImage = task / rowChunks &* imagesPerTask
    let firstRow = task % rowChunks &* rowTilesPerTask &* Self.rows
    let endRow = min(outputHeight, firstRow &+ rowTilesPerTask &* Self.rows)
    for image in firstImage..<min(images, firstImage &+ imagesPerTask) {
      let input = input + image &* inputHeight &* inputWidth &* channels
      let output = output + image &* outputHeight &* outputWidth &* channels
      var row = firstRow
      while row < endRow {
        var column = 0
        for number in 0..<wideTiles &+ narrowTiles {
          let columns = number < wideTiles ? GroupedTileList.wide : GroupedTileList.narrow
          let tile = Tile(
            columns: columns, rows: min(Self.rows, outputHeight &- row),
            columnsInside: min(columns, outputWidth &- column),
            output: output + (row &* outputWidth &+ column) &* channels)
          set(pointers, tile, input: input, row: row, column: column, behindEdge)
          body(tile)
          column &+= columns
        }
        row &+= Self.rows
      }
    }
  }

  struct Tile {
    let columns: Int
    let rows: Int, columnsInside: Int
    /// Its first output.
    let output: UnsafeMutablePointer<Float>
  }

  private func set(
    _ pointers: GroupedPointers, _ tile: Tile, input: UnsafePointer<Float>, row: Int, column: Int,
    _ behindEdge: UnsafeMutablePointer<Float>
  ) {
    let inputColumns = (tile.columns &- 1) &* stride &+ taps
    let firstColumn = column &* stride &- padLeft
    for i in 0..<inputRows {
      let y = row &* stride &- padTop &+ i
      let isInside = y >= 0 && y < inputHeight
      let source = input + (y &* inputWidth &+ firstColumn) &* channels
      let target = pointers.input + i &* inputColumns
      for j in 0..<inputColumns {
        let x = firstColumn &+ j
        target[j] = isInside && x >= 0 && x < inputWidth ? source + j &* channels : pointers.zeros
      }
    }
    for m in 0..<tile.rows {
      let row = tile.output + m &* outputWidth &* channels
      let target = pointers.output + m &* tile.columns
      for j in 0..<tile.columns { target[j] = j < tile.columnsInside ? row + j &* channels : behindEdge }
    }
  }
}

/// Where the pixels of a tile are: a pointer for each, so that pixels of the padding can be zeros, and outputs
/// behind the image's edge what nobody reads.
struct GroupedPointers {
  /// To the first channel of each input pixel, [taps + stride][taps + (columns - 1) stride].
  let input: UnsafeMutablePointer<UnsafePointer<Float>>
  /// To the first channel of each output pixel, [2][columns].
  let output: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
  /// A pixel of zeros.
  let zeros: UnsafePointer<Float>
  /// A pixel that may be written.
  let spare: UnsafeMutablePointer<Float>
  /// Floats from the last rows of input to those that the tile below reads first.
  let inputBelow: Int
  /// Floats from an output to the one in the tile below.
  let outputBelow: Int
}
