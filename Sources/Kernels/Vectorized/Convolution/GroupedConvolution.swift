import CTesseraShims
import TesseraKernelContract

/// Convolution of narrow groups, and its backward-data pass, on ``GroupedTile``.
struct GroupedConvolution: PlannedConvolution {
  let name: String
  private let tiles: GroupedTiles
  /// Whether the window is turned around.
  private let isRotated: Bool
  private let exceedsCaches: Bool

  init(_ pass: ConvolutionPass, _ g: ConvolutionGeometry, caches: CacheSizes) {
    tiles = GroupedTiles(pass, g)
    isRotated = pass == .backwardData
    exceedsCaches = (g.xCount + g.yCount) * MemoryLayout<Float>.stride > caches.level3Bytes
    name = "conv2d.\(pass.rawValue).\(tiles.name)"
  }

  var taskCount: Int { tiles.taskCount }
  var channelParts: Int { 1 }
  var multiplyAddSteps: Double { tiles.multiplyAddSteps }
  var scratchCount: Int { tiles.scratchCount }
  var packedCount: Int { tiles.packedCount }
  var packTaskCount: Int { 1 }
  var packScratchCount: Int { 0 }

  func pack(
    tasks: Range<Int>, weights: UnsafePointer<Float>, packed: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let (taps, width) = (tiles.taps &* tiles.taps, tiles.width)
    for v in 0..<tiles.vectors {
      let channel = tiles.firstChannel(v)
      for tap in 0..<taps {
        let source = weights + (isRotated ? taps &- 1 &- tap : tap) &* width &* tiles.channels
        for d in 0..<width {
          let target = packed + ((v &* taps &+ tap) &* width &+ d) &* lanes
          if isRotated {
            // Input and output channels of a group change places.
            for lane in 0..<lanes {
              let (place, first) = ((channel &+ lane) % width, (channel &+ lane) / width &* width)
              target[lane] = source[place &* tiles.channels &+ first &+ d]
            }
          } else {
            store(load(source + (d &* tiles.channels &+ channel)), target)
          }
        }
      }
    }
  }

  func run(tasks: Range<Int>, _ operands: ConvolutionOperands, scratch: UnsafeMutablePointer<Float>) {
    let pointers = tiles.pointers(in: scratch)
    let follows = operands.followsInMemory
    let streams = exceedsCaches && canStream(tiles.channels, operands.output) && !follows
    var task = GroupedTask(
      pointers: pointers, weights: operands.packed, bias: operands.bias, channels: tiles.channels,
      epilogue: Epilogue(operands), streams: streams)
    for number in tasks {
      tiles.forEachTile(
        ofTask: number, pointers, input: operands.input, output: operands.output, behindEdge: pointers.spare
      ) { tile in
        task.rows = tile.rows
        let (rowStep, count) = (tiles.outputWidth &* tiles.channels, tile.columnsInside &* tiles.channels)
        if follows {
          for m in 0..<tile.rows { operands.askForRow(tile.output + m &* rowStep, count: count) }
        }
        GroupedTileList.run(
          GroupedSum.self, columns: tile.columns, taps: tiles.taps, stride: tiles.stride, width: tiles.width, task)
        if follows {
          for m in 0..<tile.rows { operands.finish(tile.output + m &* rowStep, count: count) }
        }
      }
    }
    if streams { tessera_stream_fence() }
  }
}
