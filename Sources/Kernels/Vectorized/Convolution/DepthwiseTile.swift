import CTesseraShims
import TesseraKernelContract

/// What a depthwise tile computes.
struct DepthwiseTask {
  let pointers: DepthwisePointers
  /// [vectors of channels][taps][taps][lanes], the last vector ending with the last channel.
  let weights: UnsafePointer<Float>
  let bias: UnsafePointer<Float>?
  /// At least `lanes`.
  let channels: Int
  let epilogue: Epilogue
  /// Whether outputs are larger than the caches and go to memory past them; they are aligned then.
  let streams: Bool
  /// Rows of outputs that exist: those of the tile, or 1.
  var rows = 1
}

/// A tile of a depthwise convolution with a square window: two rows of `columns` outputs, one vector of channels after the
/// other. The last vector ends with the last channel, and computes some channels again where they don't fill whole ones.
///
/// A pixel is loaded once for all outputs that it meets. Registers: 2 columns accumulators, 2 weights, and pixels.
enum DepthwiseTile<let columns: Int, let taps: Int, let stride: Int> {
  private typealias Row = InlineArray<columns, Vector>

  private static var inputColumns: Int {
    @inline(__always) get { (columns &- 1) &* stride &+ taps }
  }

  @inline(never)
  static func run(_ task: DepthwiseTask) {
    var weights = task.weights
    for v in 0..<ceilingQuotient(task.channels, lanes) {
      let channel = min(v &* lanes, task.channels &- lanes)
      askForLines(task, channel)
      let start = if let bias = task.bias { load(bias + channel) } else { Vector.zero }
      var top = Row { _ in start }
      var bottom = Row { _ in start }
      var pixels = task.pointers.input
      var w = weights
      if task.rows == 1 {
        for _ in 0..<taps {
          add(pixels, channel, w, to: &top)
          pixels += inputColumns
          w += taps &* lanes
        }
      } else {
        for _ in 0..<stride {
          add(pixels, channel, w, to: &top)
          pixels += inputColumns
          w += taps &* lanes
        }
        for _ in stride..<taps {
          add(pixels, channel, w, w - stride &* taps &* lanes, to: &top, &bottom)
          pixels += inputColumns
          w += taps &* lanes
        }
        for _ in 0..<stride {
          add(pixels, channel, w - stride &* taps &* lanes, to: &bottom)
          pixels += inputColumns
          w += taps &* lanes
        }
        finish(bottom, task, task.pointers.output + columns, channel)
      }
      finish(top, task, task.pointers.output, channel)
      weights += taps &* taps &* lanes
    }
  }

  /// One row of pixels times one row of taps. The compiler keeps the pixels that neighbouring taps share in registers.
  @inline(__always)
  private static func add(
    _ pixels: UnsafeMutablePointer<UnsafePointer<Float>>, _ channel: Int, _ w: UnsafePointer<Float>, to row: inout Row
  ) {
    for s in 0..<taps {
      let weight = load(w + s &* lanes)
      for m in 0..<columns {
        row[unchecked: m] = multiplyAdd(row[unchecked: m], load(pixels[m &* stride &+ s] + channel), weight)
      }
    }
  }

  /// The same for two rows of outputs, whose taps are `stride` rows apart.
  @inline(__always)
  private static func add(
    _ pixels: UnsafeMutablePointer<UnsafePointer<Float>>, _ channel: Int, _ w: UnsafePointer<Float>,
    _ above: UnsafePointer<Float>, to top: inout Row, _ bottom: inout Row
  ) {
    for s in 0..<taps {
      let (weight, weightAbove) = (load(w + s &* lanes), load(above + s &* lanes))
      for m in 0..<columns {
        let pixel = load(pixels[m &* stride &+ s] + channel)
        top[unchecked: m] = multiplyAdd(top[unchecked: m], pixel, weight)
        bottom[unchecked: m] = multiplyAdd(bottom[unchecked: m], pixel, weightAbove)
      }
    }
  }

  @inline(__always)
  private static func askForLines(_ task: DepthwiseTask, _ channel: Int) {
    let last = task.pointers.input + (taps &- stride) &* inputColumns
    for i in 0..<2 &* stride {
      for j in 0..<columns &* stride {
        tessera_prefetch(last[i &* inputColumns &+ j] + (task.pointers.inputBelow &+ channel))
      }
    }
    if !task.streams {
      for m in 0..<task.rows &* columns { tessera_prefetch_to_write(task.pointers.output[m] + channel) }
    }
  }

  @inline(__always)
  private static func finish(
    _ row: Row, _ task: DepthwiseTask, _ outputs: UnsafeMutablePointer<UnsafeMutablePointer<Float>>, _ channel: Int
  ) {
    for m in 0..<columns {
      let y = task.epilogue.apply(row[unchecked: m])
      if task.streams { stream(y, outputs[m] + channel) } else { store(y, outputs[m] + channel) }
    }
  }
}

/// The sizes in which ``DepthwiseTile`` exists.
enum DepthwiseTileList {
  /// The widths of tiles: 2 x 7 accumulators need 32 registers.
  static var wide: Int { lanes == 16 ? 7 : 4 }
  static var narrow: Int { lanes == 16 ? 4 : 3 }

  static func serves(taps: Int, stride: Int) -> Bool { [3, 5, 7].contains(taps) && (1...2).contains(stride) }

  static func run(columns: Int, taps: Int, stride: Int, _ task: DepthwiseTask) {
    switch (columns, taps, stride) {
    case (7, 3, 1) where lanes == 16: DepthwiseTile<7, 3, 1>.run(task)
    case (7, 5, 1) where lanes == 16: DepthwiseTile<7, 5, 1>.run(task)
    case (7, 7, 1) where lanes == 16: DepthwiseTile<7, 7, 1>.run(task)
    case (7, 3, 2) where lanes == 16: DepthwiseTile<7, 3, 2>.run(task)
    case (7, 5, 2) where lanes == 16: DepthwiseTile<7, 5, 2>.run(task)
    case (7, 7, 2) where lanes == 16: DepthwiseTile<7, 7, 2>.run(task)
    case (4, 3, 1): DepthwiseTile<4, 3, 1>.run(task)
    case (4, 5, 1): DepthwiseTile<4, 5, 1>.run(task)
    case (4, 7, 1): DepthwiseTile<4, 7, 1>.run(task)
    case (4, 3, 2): DepthwiseTile<4, 3, 2>.run(task)
    case (4, 5, 2): DepthwiseTile<4, 5, 2>.run(task)
    case (4, 7, 2): DepthwiseTile<4, 7, 2>.run(task)
    case (3, 3, 1) where lanes < 16: DepthwiseTile<3, 3, 1>.run(task)
    case (3, 5, 1) where lanes < 16: DepthwiseTile<3, 5, 1>.run(task)
    case (3, 7, 1) where lanes < 16: DepthwiseTile<3, 7, 1>.run(task)
    case (3, 3, 2) where lanes < 16: DepthwiseTile<3, 3, 2>.run(task)
    case (3, 5, 2) where lanes < 16: DepthwiseTile<3, 5, 2>.run(task)
    case (3, 7, 2) where lanes < 16: DepthwiseTile<3, 7, 2>.run(task)
    default: preconditionFailure("a tile outside the list")
    }
  }
}
