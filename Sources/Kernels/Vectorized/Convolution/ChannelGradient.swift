import CTesseraShims
import TesseraKernelContract

/// Some taps of a row of a channelwise weight gradient: out[m outRow + j] = start + sum over u, t and 0 <= i < depth of
/// a[u uA + t tA + m aRow + i aDepth + j] b[u uB + t tB + i bDepth + j], 0 <= j < valid, fields as in ``TileTask``, where
/// rows are taps.
///
/// b holds whole vectors, a exactly `valid` floats. A delta is loaded once for `taps` multiply-adds, which load a pixel
/// each: level 1 is the limit, not the latency of the sums. Lines of the next strip are asked for as in
/// ``multiplyAccumulate(_:a:aRow:aDepth:b:bDepth:depth:ahead:aheadB:)``.
enum ChannelGradient<let taps: Int, let count: Int> {
  @inline(never)
  static func run(_ task: TileTask) {
    var acc = RegisterTile<taps, count>.start(task)
    let last = task.valid &- (count &- 1) &* lanes
    let asksAhead = task.ahead > 0 && task.aheadB > 0
    for u in 0..<task.uCount {
      for t in 0..<task.tCount {
        var a = task.a + (u &* task.uA &+ t &* task.tA)
        var b = task.b + (u &* task.uB &+ t &* task.tB)
        for _ in 0..<task.depth {
          if asksAhead {
            for v in 0..<count {
              tessera_prefetch(a + (task.ahead &+ v &* lanes))
              tessera_prefetch(b + (task.aheadB &+ v &* lanes))
            }
          }
          for v in 0..<count {
            let delta = load(b + v &* lanes)
            if v < count &- 1 || last == lanes {
              for m in 0..<taps {
                acc[unchecked: m][unchecked: v] = multiplyAdd(
                  acc[unchecked: m][unchecked: v], load(a + (m &* task.aRow &+ v &* lanes)), delta)
              }
            } else {
              for m in 0..<taps {
                acc[unchecked: m][unchecked: v] = multiplyAdd(
                  acc[unchecked: m][unchecked: v], loadFirst(last, a + (m &* task.aRow &+ v &* lanes)), delta)
              }
            }
          }
          a += task.aDepth
          b += task.bDepth
        }
      }
    }
    RegisterTile<taps, count>.finish(&acc, task)
  }
}

/// The sizes in which ``ChannelGradient`` exists, the same on all instruction sets: 5 x 2 takes 13 registers.
enum ChannelGradientList {
  static var maximumTaps: Int { 5 }
  static var maximumVectors: Int { 2 }

  @inline(__always)
  static func run(taps: Int, vectors: Int, _ task: TileTask) {
    switch (vectors, taps) {
    case (1, 1): ChannelGradient<1, 1>.run(task)
    case (1, 2): ChannelGradient<2, 1>.run(task)
    case (1, 3): ChannelGradient<3, 1>.run(task)
    case (1, 4): ChannelGradient<4, 1>.run(task)
    case (1, _): ChannelGradient<5, 1>.run(task)
    case (_, 1): ChannelGradient<1, 2>.run(task)
    case (_, 2): ChannelGradient<2, 2>.run(task)
    case (_, 3): ChannelGradient<3, 2>.run(task)
    case (_, 4): ChannelGradient<4, 2>.run(task)
    default: ChannelGradient<5, 2>.run(task)
    }
  }
}
