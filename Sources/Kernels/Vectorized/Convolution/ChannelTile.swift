import CTesseraShims
import TesseraKernelContract

/// A tile of a channelwise (depthwise) convolution: `rows` pixels, and all their channels, a vector after the other.
///
/// out[m outRow + j] = f(start + sum over 0 <= u < uCount, 0 <= t < tCount of
///   a[u uA + t tA + m aRow + j] b[v bDepth + u uB + t tB + j - v lanes]), 0 <= j < valid, v = j / lanes
///
/// Fields as in ``TileTask``, but j runs over channels of a too, `depth` is the number of vectors of channels and
/// `bDepth` the floats of one vector's packed weights; b holds whole vectors, a exactly `valid` floats. Registers: rows
/// accumulators + weights + pixels. `ahead` floats from the pixels of the last row of taps lie those that the tile below
/// reads first: they are asked for.
private enum ChannelTile<let rows: Int> {
  @inline(never)
  static func run(_ task: TileTask) {
    for v in 0..<task.depth {
      let part = task.channels(vector: v)
      part.askForPixelsBelow(rows: rows)
      var acc = RegisterTile<rows, 1>.start(part)
      for u in 0..<part.uCount {
        for t in 0..<part.tCount {
          let a = part.a + (u &* part.uA &+ t &* part.tA)
          let weights = load(part.b + (u &* part.uB &+ t &* part.tB))
          if part.valid == lanes {
            for m in 0..<rows {
              acc[unchecked: m][unchecked: 0] = multiplyAdd(
                acc[unchecked: m][unchecked: 0], load(a + m &* part.aRow), weights)
            }
          } else {
            for m in 0..<rows {
              acc[unchecked: m][unchecked: 0] = multiplyAdd(
                acc[unchecked: m][unchecked: 0], loadFirst(part.valid, a + m &* part.aRow), weights)
            }
          }
        }
      }
      RegisterTile<rows, 1>.finish(&acc, part)
    }
  }
}

/// The same where taps of a row are as far apart as pixels: neighbouring outputs share what they read. A pixel is loaded
/// once a row of taps and not once a tap: rows + 2 taps - 1 loads for rows taps multiply-adds, and level 1 delivers one
/// vector for each multiply-add at best.
private enum ChannelRowTile<let rows: Int, let taps: Int> {
  @inline(never)
  static func run(_ task: TileTask) {
    for v in 0..<task.depth {
      let part = task.channels(vector: v)
      part.askForPixelsBelow(rows: rows)
      var acc = RegisterTile<rows, 1>.start(part)
      for u in 0..<part.uCount {
        let a = part.a + u &* part.uA
        var weights = InlineArray<taps, Vector> { _ in .zero }
        for s in 0..<taps { weights[unchecked: s] = load(part.b + (u &* part.uB &+ s &* part.tB)) }
        if part.valid == lanes {
          for m in 0..<rows {
            for s in 0..<taps {
              acc[unchecked: m][unchecked: 0] = multiplyAdd(
                acc[unchecked: m][unchecked: 0], load(a + (m &+ s) &* part.aRow), weights[unchecked: s])
            }
          }
        } else {
          for m in 0..<rows {
            for s in 0..<taps {
              acc[unchecked: m][unchecked: 0] = multiplyAdd(
                acc[unchecked: m][unchecked: 0], loadFirst(part.valid, a + (m &+ s) &* part.aRow),
                weights[unchecked: s])
            }
          }
        }
      }
      RegisterTile<rows, 1>.finish(&acc, part)
    }
  }
}

extension TileTask {
  /// One vector of channels of this task.
  @inline(__always)
  fileprivate func channels(vector v: Int) -> TileTask {
    var part = self
    part.a += v &* lanes
    part.b += v &* bDepth
    part.out += v &* lanes
    if let bias { part.bias = bias + v &* lanes }
    part.valid = min(lanes, valid &- v &* lanes)
    return part
  }

  /// Asks for the lines of the output, and for the pixels that the tile below reads first.
  @inline(__always)
  fileprivate func askForPixelsBelow(rows: Int) {
    if ahead > 0, uCount > 0 {
      let next = a + ((uCount &- 1) &* uA &+ ahead)
      for m in 0..<rows { tessera_prefetch(next + m &* aRow) }
    }
    if !streams {
      for m in 0..<rows { tessera_prefetch_to_write(out + m &* outRow) }
    }
  }
}

/// The sizes in which channelwise tiles exist, the same on all instruction sets.
enum ChannelTileList {
  static var maximumRows: Int { 6 }

  static func run(rows: Int, _ task: TileTask) {
    switch (task.tA == task.aRow ? task.tCount : 0, rows) {
    case (3, 1): ChannelRowTile<1, 3>.run(task)
    case (3, 2): ChannelRowTile<2, 3>.run(task)
    case (3, 3): ChannelRowTile<3, 3>.run(task)
    case (3, 4): ChannelRowTile<4, 3>.run(task)
    case (3, 5): ChannelRowTile<5, 3>.run(task)
    case (3, _): ChannelRowTile<6, 3>.run(task)
    case (5, 1): ChannelRowTile<1, 5>.run(task)
    case (5, 2): ChannelRowTile<2, 5>.run(task)
    case (5, 3): ChannelRowTile<3, 5>.run(task)
    case (5, 4): ChannelRowTile<4, 5>.run(task)
    case (5, 5): ChannelRowTile<5, 5>.run(task)
    case (5, _): ChannelRowTile<6, 5>.run(task)
    case (_, 1): ChannelTile<1>.run(task)
    case (_, 2): ChannelTile<2>.run(task)
    case (_, 3): ChannelTile<3>.run(task)
    case (_, 4): ChannelTile<4>.run(task)
    case (_, 5): ChannelTile<5>.run(task)
    default: ChannelTile<6>.run(task)
    }
  }
}
