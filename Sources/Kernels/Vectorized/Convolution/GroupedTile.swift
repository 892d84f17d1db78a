import CTesseraShims
import TesseraKernelContract

/// What a tile of narrow groups computes.
struct GroupedTask {
  let pointers: GroupedPointers
  /// [vectors of channels][taps][taps][width][lanes], the last vector ending with the last channel.
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

/// A tile of a convolution of narrow groups with a square window: two rows of `columns` outputs, one vector of channels
/// after the other. The last vector ends with the last channel, and computes some channels again where they don't fill whole ones.
///
/// A pixel is loaded once for all outputs that it meets. Registers: 2 columns accumulators, 2 weights, and pixels.
enum GroupedTile<let columns: Int, let taps: Int, let stride: Int, let width: Int> {
  private typealias Row = InlineArray<columns, Vector>

  private static var inputColumns: Int {
    @inline(__always) get { (columns &- 1) &* stride &+ taps }
  }

  @inline(never)
  static func run(_ task: GroupedTask) {
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
          w += taps &* width &* lanes
        }
      } else {
        for _ in 0..<stride {
          add(pixels, channel, w, to: &top)
          pixels += inputColumns
          w += taps &* width &* lanes
        }
        for _ in stride..<taps {
          add(pixels, channel, w, w - stride &* taps &* width &* lanes, to: &top, &bottom)
          pixels += inputColumns
          w += taps &* width &* lanes
        }
        for _ in 0..<stride {
          add(pixels, channel, w - stride &* taps &* width &* lanes, to: &bottom)
          pixels += inputColumns
          w += taps &* width &* lanes
        }
        finish(bottom, task, task.pointers.output + columns, channel)
      }
      finish(top, task, task.pointers.output, channel)
      weights += taps &* taps &* width &* lanes
    }
  }

  /// One row of pixels times one row of taps. The compiler keeps the pixels that neighbouring taps share in registers.
  @inline(__always)
  private static func add(
    _ pixels: UnsafeMutablePointer<UnsafePointer<Float>>, _ channel: Int, _ w: UnsafePointer<Float>, to row: inout Row
  ) {
    for s in 0..<taps {
      for d in 0..<width {
        let weight = load(w + (s &* width &+ d) &* lanes)
        for m in 0..<columns {
          let pixel = spread(load(pixels[m &* stride &+ s] + channel), d, width: width)
          row[unchecked: m] = multiplyAdd(row[unchecked: m], pixel, weight)
        }
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
      for d in 0..<width {
        let place = (s &* width &+ d) &* lanes
        let (weight, weightAbove) = (load(w + place), load(above + place))
        for m in 0..<columns {
          let pixel = spread(load(pixels[m &* stride &+ s] + channel), d, width: width)
          top[unchecked: m] = multiplyAdd(top[unchecked: m], pixel, weight)
          bottom[unchecked: m] = multiplyAdd(bottom[unchecked: m], pixel, weightAbove)
        }
      }
    }
  }

  @inline(__always)
  private static func askForLines(_ task: GroupedTask, _ channel: Int) {
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
    _ row: Row, _ task: GroupedTask, _ outputs: UnsafeMutablePointer<UnsafeMutablePointer<Float>>, _ channel: Int
  ) {
    for m in 0..<columns {
      write(task.epilogue.apply(row[unchecked: m]), outputs[m] + channel, valid: lanes, streams: task.streams)
    }
  }
}

/// ``GroupedTile`` by its size.
enum GroupedSum: GroupedTileKernel {
  @inline(__always)
  static func run<let columns: Int, let taps: Int, let stride: Int, let width: Int>(
    _ size: GroupedTileSize<columns, taps, stride, width>, _ task: GroupedTask
  ) {
    GroupedTile<columns, taps, stride, width>.run(task)
  }
}

/// Channel `d` of each group in all lanes of the group.
@inline(__always)
func spread(_ pixel: Vector, _ d: Int, width: Int) -> Vector {
  if width == 1 { return pixel }
  let firsts = laneNumbers & IntVector(repeating: Int32(truncatingIfNeeded: -width))
  return permuted(pixel, firsts &+ IntVector(repeating: Int32(truncatingIfNeeded: d)))
}
