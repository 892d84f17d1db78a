import CTesseraShims
import TesseraKernelContract

/// Outputs that meet the same taps: ranges of images, rows and columns.
private struct Box {
  var images: Range<Int>, rows: Range<Int>, columns: Range<Int>
}

extension Correlation {
  /// Which part of the result a task computes.
  struct TaskPart {
    var group: Int, blocks: Range<Int>
    var yPhase: Int, xPhase: Int
    var images: Range<Int>, rows: Range<Int>, columns: Range<Int>
  }

  func part(ofTask task: Int) -> TaskPart {
    var rest = task
    func next(_ count: Int) -> Int {
      let digit = rest % count
      rest /= count
      return digit
    }
    let columnChunk = next(columnChunks)
    let rowChunk = next(rowChunks)
    let xPhase = next(xPhases)
    let yPhase = next(yPhases)
    let imageChunk = next(imageChunks)
    let blockChunk = next(blockChunks)
    return TaskPart(
      group: rest, blocks: slice(blockChunk, of: blocksPerTask, in: blocks), yPhase: yPhase, xPhase: xPhase,
      images: slice(imageChunk, of: imagesPerTask, in: images),
      rows: slice(rowChunk, of: rowsPerTask, in: yAxis(phase: yPhase).outputCount),
      columns: slice(columnChunk, of: columnsPerTask, in: xAxis(phase: xPhase).outputCount))
  }

  func run(task: Int, _ operands: ConvolutionOperands) {
    let part = part(ofTask: task)
    let y = yAxis(phase: part.yPhase)
    let x = xAxis(phase: part.xPhase)
    guard !part.rows.isEmpty, !part.columns.isEmpty else { return }

    var channel = 0
    while channel < depth {
      let channels = min(depthChunk, depth &- channel)
      // Channelwise tiles walk all channels of their pixels, as they lie in memory; products stay with a block's weights.
      let blocksAtOnce = kind == .product ? 1 : part.blocks.count
      for block in stride(from: part.blocks.lowerBound, to: part.blocks.upperBound, by: max(1, blocksAtOnce)) {
        var row = part.rows.lowerBound
        while row < part.rows.upperBound {
          let rowEnd = y.runEnd(from: row, limit: part.rows.upperBound)
          var column = part.columns.lowerBound
          while column < part.columns.upperBound {
            let columnEnd = x.runEnd(from: column, limit: part.columns.upperBound)
            run(
              Box(images: part.images, rows: row..<rowEnd, columns: column..<columnEnd), y: y, x: x,
              group: part.group, blocks: block..<block &+ blocksAtOnce, channels: channel..<channel &+ channels,
              operands)
            column = columnEnd
          }
          row = rowEnd
        }
      }
      channel &+= channels
    }
    if exceedsCaches { tessera_stream_fence() }
  }

  @inline(__always)
  private func slice(_ index: Int, of size: Int, in count: Int) -> Range<Int> {
    let start = min(index &* size, count)
    return start..<min(start &+ size, count)
  }

  private func run(
    _ box: Box, y: TapAxis, x: TapAxis, group: Int, blocks: Range<Int>, channels: Range<Int>,
    _ operands: ConvolutionOperands
  ) {
    let yTaps = y.tapsInside(box.rows.lowerBound)
    let xTaps = x.tapsInside(box.columns.lowerBound)
    let firstFilter = blocks.lowerBound &* width
    let valid = min(blocks.count &* width, filters &- firstFilter)
    let blockVectors = (min(width, valid) &+ lanes &- 1) / lanes
    let blockWidth = blockVectors &* lanes
    let tapPacked = depth &* blockWidth
    let tapRow = y.firstTap &+ yTaps.first &* y.tapStep
    let tapColumn = x.firstTap &+ xTaps.first &* x.tapStep
    let isLast = channels.upperBound == depth

    let firstRow = box.rows.lowerBound &* y.inputStep &+ y.offset &+ yTaps.first &* y.offsetStep
    let firstColumn = box.columns.lowerBound &* x.inputStep &+ x.offset &+ xTaps.first &* x.offsetStep
    let inputChannel = kind == .product ? group &* depth &+ channels.lowerBound &* depthInput : firstFilter
    var bias = operands.bias
    if let all = bias { bias = all + (group &* filters &+ firstFilter) }
    let hasTaps = yTaps.count > 0 && xTaps.count > 0
    var task = TileTask(
      // Without taps nothing is read, and the position may be outside.
      a: hasTaps
        ? operands.input + (firstRow &* rowInput &+ firstColumn &* columnInput &+ inputChannel)
        : operands.input,
      b: hasTaps
        ? operands.packed
          + (group &* groupPacked &+ firstFilter &* taps &* depth
            &+ (tapRow &* windowWidth &+ tapColumn) &* tapPacked &+ channels.lowerBound &* blockWidth)
        : operands.packed,
      out: operands.output
        + ((y.outputStart &+ box.rows.lowerBound &* y.outputStep) &* rowOutput
          &+ (x.outputStart &+ box.columns.lowerBound &* x.outputStep) &* columnOutput
          &+ group &* filters &+ firstFilter),
      bias: bias,
      aRow: 0, aDepth: depthInput, bDepth: blockWidth, outRow: 0, depth: channels.count,
      tCount: hasTaps ? xTaps.count : 0, tA: x.offsetStep &* columnInput, tB: x.tapStep &* tapPacked,
      uCount: hasTaps ? yTaps.count : 0, uA: y.offsetStep &* rowInput,
      uB: y.tapStep &* windowWidth &* tapPacked,
      valid: valid, accumulates: channels.lowerBound > 0,
      epilogue: isLast ? Epilogue(operands) : .none)
    task.streams =
      exceedsCaches && depthChunk == depth && UInt(bitPattern: operands.output) % 64 == 0
      && !operands.followsInMemory
    if kind == .product {
      task.joinLoops()
    } else {
      (task.depth, task.bDepth) = (ceilingQuotient(valid, lanes), taps &* lanes)
    }
    runTiles(
      &task, vectors: blockVectors, box,
      followed: isLast && operands.followsInMemory ? operands : nil,
      image: (imageInput, imageOutput), row: (y.inputStep &* rowInput, y.outputStep &* rowOutput),
      column: (x.inputStep &* columnInput, x.outputStep &* columnOutput))
  }

  /// Covers the box with tiles along its columns, or along its longest axis where columns are few: the first ones of an
  /// image, where the window leaves it, or all of a small image. Pairs are steps in input and output.
  private func runTiles(
    _ task: inout TileTask, vectors: Int, _ box: Box, followed: ConvolutionOperands?,
    image: (Int, Int), row: (Int, Int), column: (Int, Int)
  ) {
    let (n, h, w) = (box.images.count, box.rows.count, box.columns.count)
    let tallest =
      kind == .product ? TileList.maximumRows(vectors: vectors) : ChannelTileList.maximumRows
    let input = task.a + box.images.lowerBound &* image.0
    let output = task.out + box.images.lowerBound &* image.1
    var (outer, middle, inner) = ((n, image), (h, row), (w, column))
    if w &* 2 < tallest {
      if h > w, h >= n {
        (middle, inner) = (inner, middle)
      } else if n > w {
        (outer, inner) = (inner, outer)
      }
    }
    task.aRow = inner.1.0
    task.outRow = inner.1.1
    // A tile reads the pixels behind it next, a channelwise one those below: it has few, and its row is soon over.
    task.ahead = kind == .product ? min(tallest, inner.0) &* task.aRow : middle.1.0
    let tiles = ceilingQuotient(inner.0, tallest)
    for o in 0..<outer.0 {
      for i in 0..<middle.0 {
        var done = 0
        var left = tiles
        while left > 0 {
          // Heights differ by one at most, so that no tile is a short rest.
          let rows = (inner.0 &- done) / left
          task.a = input + (o &* outer.1.0 &+ i &* middle.1.0 &+ done &* inner.1.0)
          task.out = output + (o &* outer.1.1 &+ i &* middle.1.1 &+ done &* inner.1.1)
          if let followed {
            for m in 0..<rows { followed.askForRow(task.out + m &* task.outRow, count: task.valid) }
          }
          if kind == .product {
            TileList.run(rows: rows, vectors: vectors, task)
          } else {
            ChannelTileList.run(rows: rows, task)
          }
          if let followed {
            for m in 0..<rows { followed.finish(task.out + m &* task.outRow, count: task.valid) }
          }
          done &+= rows
          left &-= 1
        }
      }
    }
  }
}
