import CTesseraShims
import TesseraKernelContract

/// What a tile of the weight gradient of narrow groups computes.
struct GroupedGradientTask {
  /// To x, and, as outputs, to dy.
  let pointers: GroupedPointers
  /// Added to, in the order of ``GroupedTask/weights``.
  let sums: UnsafeMutablePointer<Float>
  /// At least `lanes`.
  let channels: Int
  /// As ``GroupedTask/rows``.
  var rows = 1
}

/// The part of the weight gradient of narrow groups that a tile of ``GroupedTile``'s size contributes: there weights stand where
/// sums are here, and outputs where dy is.
///
/// Registers: 2 columns of dy, 2 sums, 1 pixel.
enum GroupedGradientTile<let columns: Int, let taps: Int, let stride: Int, let width: Int> {
  private typealias Row = InlineArray<columns, Vector>

  private static var inputColumns: Int {
    @inline(__always) get { (columns &- 1) &* stride &+ taps }
  }

  @inline(never)
  static func run(_ task: GroupedGradientTask) {
    var tapSums = task.sums
    for v in 0..<ceilingQuotient(task.channels, lanes) {
      let channel = min(v &* lanes, task.channels &- lanes)
      askForLines(task, channel)
      let top = deltas(task.pointers.output, channel)
      var pixels = task.pointers.input
      var sums = tapSums
      if task.rows == 1 {
        for _ in 0..<taps {
          add(pixels, channel, top, to: sums)
          pixels += inputColumns
          sums += taps &* width &* lanes
        }
      } else {
        let bottom = deltas(task.pointers.output + columns, channel)
        for _ in 0..<stride {
          add(pixels, channel, top, to: sums)
          pixels += inputColumns
          sums += taps &* width &* lanes
        }
        for _ in stride..<taps {
          add(pixels, channel, top, bottom, to: sums, sums - stride &* taps &* width &* lanes)
          pixels += inputColumns
          sums += taps &* width &* lanes
        }
        for _ in 0..<stride {
          add(pixels, channel, bottom, to: sums - stride &* taps &* width &* lanes)
          pixels += inputColumns
          sums += taps &* width &* lanes
        }
      }
      tapSums += taps &* taps &* width &* lanes
    }
  }

  @inline(__always)
  private static func deltas(_ pointers: UnsafeMutablePointer<UnsafeMutablePointer<Float>>, _ channel: Int) -> Row {
    var row = Row { _ in .zero }
    for m in 0..<columns { row[unchecked: m] = load(pointers[m] + channel) }
    return row
  }

  /// One row of pixels times one row of dy, for one row of taps.
  @inline(__always)
  private static func add(
    _ pixels: UnsafeMutablePointer<UnsafePointer<Float>>, _ channel: Int, _ deltas: Row,
    to sums: UnsafeMutablePointer<Float>
  ) {
    for s in 0..<taps {
      for d in 0..<width {
        let place = (s &* width &+ d) &* lanes
        var sum = load(sums + place)
        for m in 0..<columns {
          let pixel = spread(load(pixels[m &* stride &+ s] + channel), d, width: width)
          sum = multiplyAdd(sum, pixel, deltas[unchecked: m])
        }
        store(sum, sums + place)
      }
    }
  }

  /// The same for two rows of dy, whose taps are `stride` rows apart.
  @inline(__always)
  private static func add(
    _ pixels: UnsafeMutablePointer<UnsafePointer<Float>>, _ channel: Int, _ top: Row, _ bottom: Row,
    to sums: UnsafeMutablePointer<Float>, _ above: UnsafeMutablePointer<Float>
  ) {
    for s in 0..<taps {
      for d in 0..<width {
        let place = (s &* width &+ d) &* lanes
        var (sum, sumAbove) = (load(sums + place), load(above + place))
        for m in 0..<columns {
          let pixel = spread(load(pixels[m &* stride &+ s] + channel), d, width: width)
          sum = multiplyAdd(sum, pixel, top[unchecked: m])
          sumAbove = multiplyAdd(sumAbove, pixel, bottom[unchecked: m])
        }
        store(sum, sums + place)
        store(sumAbove, above + place)
      }
    }
  }

  /// Asks for the pixels that the tile below reads first, and for its dy.
  @inline(__always)
  private static func askForLines(_ task: GroupedGradientTask, _ channel: Int) {
    let last = task.pointers.input + (taps &- stride) &* inputColumns
    for i in 0..<2 &* stride {
      for j in 0..<columns &* stride {
        tessera_prefetch(last[i &* inputColumns &+ j] + (task.pointers.inputBelow &+ channel))
      }
    }
    for m in 0..<2 &* columns { tessera_prefetch(task.pointers.output[m] + (task.pointers.outputBelow &+ channel)) }
  }
}

/// ``GroupedGradientTile`` by its size.
enum GroupedGradient: GroupedTileKernel {
  @inline(__always)
  static func run<let columns: Int, let taps: Int, let stride: Int, let width: Int>(
    _ size: GroupedTileSize<columns, taps, stride, width>, _ task: GroupedGradientTask
  ) {
    GroupedGradientTile<columns, taps, stride, width>.run(task)
  }
}
