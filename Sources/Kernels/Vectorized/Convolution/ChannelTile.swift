import CTesseraShims
import TesseraKernelContract

/// A tile of a channelwise (depthwise) convolution: rows pixels x vectors channel vectors.
///
/// out[m outRow + j] = f(start + sum over 0 <= u < uCount, 0 <= t < tCount of
///   a[u uA + t tA + m aRow + j] b[u uB + t tB + j]), 0 <= j < valid
///
/// Fields as in ``TileTask``, but j runs over channels of a too; depth and its strides mean nothing here. b holds whole
/// vectors, a exactly `valid` floats. Registers: rows vectors accumulators + vectors of b + 1 of a; 6 x 2 takes 15.
/// `ahead` floats from the pixels of the last row of taps lie those that the tile below reads first: they are asked for.
/// A weight is loaded once for `rows` pixels: rows vectors + vectors loads for as many multiply-adds less `vectors`.
enum ChannelTile<let rows: Int, let vectors: Int> {
  @inline(never)
  static func run(_ task: TileTask) {
    task.askForPixelsBelow(rows: rows, vectors: vectors)
    var acc = RegisterTile<rows, vectors>.start(task)
    let last = task.valid &- (vectors &- 1) &* lanes
    var aOuter = task.a
    var bOuter = task.b
    for _ in 0..<task.uCount {
      var a = aOuter
      var b = bOuter
      for _ in 0..<task.tCount {
        for v in 0..<vectors {
          let weights = load(b + v &* lanes)
          if v < vectors &- 1 || last == lanes {
            for m in 0..<rows {
              acc[unchecked: m][unchecked: v] = multiplyAdd(
                acc[unchecked: m][unchecked: v], load(a + m &* task.aRow + v &* lanes), weights)
            }
          } else {
            for m in 0..<rows {
              acc[unchecked: m][unchecked: v] = multiplyAdd(
                acc[unchecked: m][unchecked: v], loadFirst(last, a + m &* task.aRow + v &* lanes), weights)
            }
          }
        }
        a += task.tA
        b += task.tB
      }
      aOuter += task.uA
      bOuter += task.uB
    }
    RegisterTile<rows, vectors>.finish(&acc, task)
  }
}

/// The same where taps of a row are as far apart as pixels: neighbouring outputs share what they read. A pixel is loaded
/// once a row of taps and not once a tap: rows + 2 taps - 1 loads for rows taps multiply-adds, and level 1 delivers one
/// vector for each multiply-add at best. One vector of channels: rows accumulators + taps weights + the pixels.
enum ChannelRowTile<let rows: Int, let taps: Int> {
  @inline(never)
  static func run(_ task: TileTask) {
    task.askForPixelsBelow(rows: rows, vectors: 1)
    var acc = RegisterTile<rows, 1>.start(task)
    for u in 0..<task.uCount {
      let a = task.a + u &* task.uA
      let b = task.b + u &* task.uB
      var weights = InlineArray<taps, Vector> { _ in .zero }
      for s in 0..<taps { weights[unchecked: s] = load(b + s &* task.tB) }
      if task.valid == lanes {
        for m in 0..<rows {
          for s in 0..<taps {
            acc[unchecked: m][unchecked: 0] = multiplyAdd(
              acc[unchecked: m][unchecked: 0], load(a + (m &+ s) &* task.aRow), weights[unchecked: s])
          }
        }
      } else {
        for m in 0..<rows {
          for s in 0..<taps {
            acc[unchecked: m][unchecked: 0] = multiplyAdd(
              acc[unchecked: m][unchecked: 0], loadFirst(task.valid, a + (m &+ s) &* task.aRow),
              weights[unchecked: s])
          }
        }
      }
    }
    RegisterTile<rows, 1>.finish(&acc, task)
  }
}

extension TileTask {
  /// Asks for the lines of the output, and for the pixels that the tile below reads first.
  @inline(__always)
  fileprivate func askForPixelsBelow(rows: Int, vectors: Int) {
    if ahead > 0, uCount > 0 {
      let next = a + ((uCount &- 1) &* uA &+ ahead)
      for m in 0..<rows {
        for v in 0..<vectors { tessera_prefetch(next + (m &* aRow &+ v &* lanes)) }
      }
    }
    if !streams {
      for m in 0..<rows {
        for v in 0..<vectors { tessera_prefetch_to_write(out + (m &* outRow &+ v &* lanes)) }
      }
    }
  }

  /// One vector of channels of this task.
  @inline(__always)
  fileprivate func channels(vector v: Int) -> TileTask {
    var part = self
    part.a += v &* lanes
    part.b += v &* lanes
    part.out += v &* lanes
    if let bias { part.bias = bias + v &* lanes }
    part.valid = min(lanes, valid &- v &* lanes)
    return part
  }
}

/// The sizes in which ``ChannelTile`` and ``ChannelRowTile`` exist, the same on all instruction sets.
enum ChannelTileList {
  static var maximumRows: Int { 6 }
  static var maximumVectors: Int { 2 }

  @inline(__always)
  static func run(rows: Int, vectors: Int, _ task: TileTask) {
    if task.tA == task.aRow, task.tCount == 3 || task.tCount == 5 {
      for v in 0..<vectors { runRow(rows: rows, task.channels(vector: v)) }
    } else {
      runTile(rows: rows, vectors: vectors, task)
    }
  }

  private static func runRow(rows: Int, _ task: TileTask) {
    switch (task.tCount, rows) {
    case (3, 1): ChannelRowTile<1, 3>.run(task)
    case (3, 2): ChannelRowTile<2, 3>.run(task)
    case (3, 3): ChannelRowTile<3, 3>.run(task)
    case (3, 4): ChannelRowTile<4, 3>.run(task)
    case (3, 5): ChannelRowTile<5, 3>.run(task)
    case (3, _): ChannelRowTile<6, 3>.run(task)
    case (_, 1): ChannelRowTile<1, 5>.run(task)
    case (_, 2): ChannelRowTile<2, 5>.run(task)
    case (_, 3): ChannelRowTile<3, 5>.run(task)
    case (_, 4): ChannelRowTile<4, 5>.run(task)
    case (_, 5): ChannelRowTile<5, 5>.run(task)
    default: ChannelRowTile<6, 5>.run(task)
    }
  }

  private static func runTile(rows: Int, vectors: Int, _ task: TileTask) {
    switch (vectors, rows) {
    case (1, 1): ChannelTile<1, 1>.run(task)
    case (1, 2): ChannelTile<2, 1>.run(task)
    case (1, 3): ChannelTile<3, 1>.run(task)
    case (1, 4): ChannelTile<4, 1>.run(task)
    case (1, 5): ChannelTile<5, 1>.run(task)
    case (1, _): ChannelTile<6, 1>.run(task)
    case (_, 1): ChannelTile<1, 2>.run(task)
    case (_, 2): ChannelTile<2, 2>.run(task)
    case (_, 3): ChannelTile<3, 2>.run(task)
    case (_, 4): ChannelTile<4, 2>.run(task)
    case (_, 5): ChannelTile<5, 2>.run(task)
    default: ChannelTile<6, 2>.run(task)
    }
  }
}
