import TesseraKernelContract

extension Correlation {
  /// Operations of the whole correlation, taps in the padding counted.
  private var flops: Double {
    2 * Double(images * yAxis.outputCount * xAxis.outputCount) * Double(taps * depth)
      * Double(groups * filters)
  }

  private var pixelCount: Int { images * yAxis.outputCount * xAxis.outputCount * yPhases * xPhases }

  /// Chooses tile width, depth chunk and the box of a task from the problem, the instruction set and the caches.
  ///
  /// Loops, from the outside: tasks; depth chunks; blocks of output channels; boxes; tiles. A block's weights of one
  /// depth chunk stay in level 2 (half of it) while all tiles of the task pass by; one task's blocks stay there from
  /// task to task where they fit together; a tile's pixels stay in level 1 from tap to tap; accumulators stay in
  /// registers.
  mutating func chooseBlocking(caches: CacheSizes) {
    chooseVectors()
    // What is read and written once doesn't stay: stores past the caches save reading the lines that they fill.
    let bytes = pixelCount * (columnInput + columnOutput) * MemoryLayout<Float>.stride
    exceedsCaches = bytes > caches.level3Bytes && columnOutput % lanes == 0 && filters % lanes == 0
    let room = caches.level2Bytes / 2 / MemoryLayout<Float>.stride
    let pixels = images * yAxis.outputCount * xAxis.outputCount

    // Without a second row of tiles the weights are read once, and cutting the sum would buy nothing.
    let fitting = max(lanes * 4, room / (taps * width))
    let passes = pixels > 2 * maximumRows ? ceilingQuotient(depth, fitting) : 1
    depthChunk = ceilingQuotient(depth, passes)

    let target = taskFlops(flops)
    let pixelBlock = 2 * Double(taps) / Double(yPhases * xPhases) * Double(depth * width)
    let leastPixels = min(pixels / (yPhases * xPhases) + 1, 2 * maximumRows)
    let affordable = Int(target / (pixelBlock * Double(leastPixels)))
    let resident = room / (taps * depthChunk * width)
    blocksPerTask = max(1, min(blocks, affordable, max(1, resident)))
    blocksPerTask = ceilingQuotient(blocks, ceilingQuotient(blocks, blocksPerTask))

    let taskPixels = max(1, Int(target / (pixelBlock * Double(blocksPerTask))))
    (columnsPerTask, rowsPerTask, imagesPerTask) = (max(1, xAxis.outputCount), 1, 1)
    if taskPixels < columnsPerTask {
      let rounded = ceilingQuotient(taskPixels, maximumRows) * maximumRows
      columnsPerTask = evenShare(xAxis.outputCount, at: rounded)
      columnsPerTask = min(
        xAxis.outputCount, ceilingQuotient(columnsPerTask, maximumRows) * maximumRows)
    } else {
      rowsPerTask = evenShare(yAxis.outputCount, at: max(1, taskPixels / columnsPerTask))
      if rowsPerTask == yAxis.outputCount {
        imagesPerTask = evenShare(images, at: max(1, taskPixels / (columnsPerTask * rowsPerTask)))
      }
    }
  }

  /// Tiles follow the columns, or the longest axis where columns are few.
  private mutating func chooseVectors() {
    let columns = xAxis.outputCount
    let longest = max(columns, yAxis.outputCount, images)
    vectors =
      kind == .product
      ? widestTile(filters: filters, maximumVectors: TileList.maximumVectors) {
        let tallest = TileList.maximumRows(vectors: $0)
        return tileSteps(extent: columns * 2 >= tallest ? columns : longest, tallest: tallest, vectors: $0)
      }
      : 1
  }
}

/// Operations of a task, of as many in all: about 50 microseconds at 32 operations a cycle and 16 lanes, less where that makes
/// too few tasks, but hardly less than 5, which starting one has to be small against.
func taskFlops(_ flops: Double) -> Double { min(max(flops / 128, Double(lanes * 30_000)), Double(lanes * 400_000)) }

/// The smallest share that cuts `count` into as many parts as shares of `size` would.
func evenShare(_ count: Int, at size: Int) -> Int {
  count <= 0 ? 1 : ceilingQuotient(count, ceilingQuotient(count, max(1, min(size, count))))
}

/// The tile width that takes the fewest steps: rows and output channels that don't divide evenly decide. Of two that
/// take as many the wider one, which reads a less often, and whose fewer rows compete less for the sets of level 1 where
/// they lie a power of two apart.
/// - Parameter steps: the steps of one block of so many vectors.
func widestTile(filters: Int, maximumVectors: Int, steps: (Int) -> Int) -> Int {
  var fewest = Int.max
  var best = 1
  for vectors in 1...maximumVectors {
    let rest = ceilingQuotient(filters % (vectors * lanes), lanes)
    let all = filters / (vectors * lanes) * steps(vectors) + (rest > 0 ? steps(rest) : 0)
    if all <= fewest { (fewest, best) = (all, vectors) }
  }
  return best
}

/// Steps of the tiles that cover `extent` rows, a step being what one multiply-add of a vector takes: a tile is bound
/// by its multiply-adds, by its loads, or, below 8 accumulators, by the latency of the multiply-add.
func tileSteps(extent: Int, tallest: Int, vectors: Int) -> Int {
  let extent = max(1, extent)
  let tiles = ceilingQuotient(extent, tallest)
  let (height, taller) = (extent / tiles, extent % tiles)
  func steps(_ rows: Int) -> Int { max(rows * vectors, rows + vectors, 8) }
  return taller * steps(height + 1) + (tiles - taller) * steps(height)
}
