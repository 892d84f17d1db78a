import TesseraKernelContract

/// One tap of a channelwise weight gradient: out[j] = start + sum over u, t and 0 <= i < depth of
/// a[u uA + t tA + i aDepth + j] b[u uB + t tB + i bDepth + j], 0 <= j < valid, fields as in ``TileTask``.
///
/// b holds whole vectors, a exactly `valid` floats. Two loads a multiply-add, which level 2 delivers at best: more
/// accumulators than hide the latency would buy nothing.
enum ChannelGradient<let count: Int> {
  @inline(never)
  static func run(_ task: TileTask) {
    var acc = RegisterTile<1, count>.start(task)
    let last = task.valid &- (count &- 1) &* lanes
    for u in 0..<task.uCount {
      for t in 0..<task.tCount {
        var a = task.a + (u &* task.uA &+ t &* task.tA)
        var b = task.b + (u &* task.uB &+ t &* task.tB)
        for _ in 0..<task.depth {
          for v in 0..<count {
            let x =
              v < count &- 1 || last == lanes ? load(a + v &* lanes) : loadFirst(last, a + v &* lanes)
            acc[unchecked: 0][unchecked: v] = multiplyAdd(
              acc[unchecked: 0][unchecked: v], x, load(b + v &* lanes))
          }
          a += task.aDepth
          b += task.bDepth
        }
      }
    }
    RegisterTile<1, count>.finish(&acc, task)
  }
}

/// The widths in which ``ChannelGradient`` exists.
enum ChannelGradientList {
  static var maximumVectors: Int { 4 }

  @inline(__always)
  static func run(vectors: Int, _ task: TileTask) {
    switch vectors {
    case 1: ChannelGradient<1>.run(task)
    case 2: ChannelGradient<2>.run(task)
    case 3: ChannelGradient<3>.run(task)
    default: ChannelGradient<4>.run(task)
    }
  }
}
