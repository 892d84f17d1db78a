import TesseraKernelContract

/// dw[i,j,d,g width + k] =
///   sum over n, p, q of x[n, p stride - padTop + i, q stride - padLeft + j, g width + d] dy[n,p,q,g width + k],
/// on ``GroupedGradientTile``. Each task has a partial dw of its own, in the order of tiles.
struct GroupedWeightGradient: PlannedWeightGradient {
  private let tiles: GroupedTiles

  init(_ g: ConvolutionGeometry) {
    // A partial dw is written and read once more: that shall stay below a quarter of the operands.
    let affordable = max(1, (g.xCount + g.yCount) / 4 / g.weightCount)
    tiles = GroupedTiles(
      .backwardWeights, g, mostTasks: min(affordable, PartialSums.mostChunks(count: 2 * g.weightCount)))
  }

  var name: String { "conv2d.backward-weights.\(tiles.name)" }
  var taskCount: Int { tiles.taskCount }
  var multiplyAddSteps: Double { tiles.multiplyAddSteps }
  var scratchCount: Int { tiles.scratchCount }
  var partialsCount: Int { tiles.taskCount * tiles.packedCount }
  var reduceTaskCount: Int { tiles.vectors }

  func accumulate(
    tasks: Range<Int>, x: UnsafePointer<Float>, dy: UnsafePointer<Float>, partials: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let pointers = tiles.pointers(in: scratch)
    for number in tasks {
      let sums = partials + number &* tiles.packedCount
      sums.update(repeating: 0, count: tiles.packedCount)
      var task = GroupedGradientTask(pointers: pointers, sums: sums, channels: tiles.channels)
      // The tiles only read what they call output.
      tiles.forEachTile(
        ofTask: number, pointers, input: x, output: UnsafeMutablePointer(mutating: dy),
        behindEdge: UnsafeMutablePointer(mutating: pointers.zeros)
      ) { tile in
        task.rows = tile.rows
        GroupedTileList.run(
          GroupedGradient.self, columns: tile.columns, taps: tiles.taps, stride: tiles.stride, width: tiles.width, task)
      }
    }
  }

  /// A task adds one vector of channels, all its weights. The last vector has channels of the one before it, too.
  func reduce(tasks: Range<Int>, partials: UnsafePointer<Float>, dw: UnsafeMutablePointer<Float>) {
    let planes = tiles.planes
    for v in tasks {
      let channel = v &* lanes
      let valid = min(lanes, tiles.channels &- channel)
      let first = v &* planes &* lanes &+ channel &- tiles.firstChannel(v)
      for plane in 0..<planes {
        var sum = Vector.zero
        for chunk in 0..<tiles.taskCount {
          sum += load(partials + (chunk &* tiles.packedCount &+ first &+ plane &* lanes), valid: valid)
        }
        store(sum, dw + (plane &* tiles.channels &+ channel), valid: valid)
      }
    }
  }
}
