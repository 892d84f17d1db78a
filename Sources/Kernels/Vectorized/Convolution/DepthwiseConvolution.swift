import CTesseraShims
import TesseraKernelContract

/// Depthwise convolution, and its backward-data pass, on ``DepthwiseTile``.
struct DepthwiseConvolution: PlannedConvolution {
  let name: String
  private let tiles: DepthwiseTiles
  /// Whether the window is turned around.
  private let isRotated: Bool
  private let exceedsCaches: Bool

  init(_ pass: ConvolutionPass, _ g: ConvolutionGeometry, caches: CacheSizes) {
    tiles = DepthwiseTiles(pass, g)
    isRotated = pass == .backwardData
    exceedsCaches = (g.xCount + g.yCount) * MemoryLayout<Float>.stride > caches.level3Bytes && g.c % lanes == 0
    name = "conv2d.\(pass.rawValue).depthwise.f32.\(Kernels.instructionSet.name).\(tiles.name)"
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
    let taps = tiles.taps &* tiles.taps
    for v in 0..<tiles.vectors {
      for tap in 0..<taps {
        let source = weights + (isRotated ? taps &- 1 &- tap : tap) &* tiles.channels
        store(load(source + tiles.firstChannel(v)), packed + (v &* taps &+ tap) &* lanes)
      }
    }
  }

  func run(tasks: Range<Int>, _ operands: ConvolutionOperands, scratch: UnsafeMutablePointer<Float>) {
    let pointers = tiles.pointers(in: scratch)
    let follows = operands.followsInMemory
    let streams = exceedsCaches && UInt(bitPattern: operands.output) % 64 == 0 && !follows
    var task = DepthwiseTask(
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
        DepthwiseTileList.run(columns: tile.columns, taps: tiles.taps, stride: tiles.stride, task)
        if follows {
          for m in 0..<tile.rows { operands.finish(tile.output + m &* rowStep, count: count) }
        }
      }
    }
    if streams { tessera_stream_fence() }
  }
}
