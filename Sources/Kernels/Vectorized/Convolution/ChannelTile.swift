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
    if task.ahead > 0, task.uCount > 0 {
      let next = task.a + ((task.uCount &- 1) &* task.uA &+ task.ahead)
      for m in 0..<rows {
        for v in 0..<vectors { tessera_prefetch(next + (m &* task.aRow &+ v &* lanes)) }
      }
    }
    if !task.streams {
      for m in 0..<rows {
        for v in 0..<vectors { tessera_prefetch_to_write(task.out + (m &* task.outRow &+ v &* lanes)) }
      }
    }
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

/// The sizes in which ``ChannelTile`` exists, the same on all instruction sets.
enum ChannelTileList {
  static var maximumRows: Int { 6 }
  static var maximumVectors: Int { 2 }

  @inline(__always)
  static func run(rows: Int, vectors: Int, _ task: TileTask) {
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
