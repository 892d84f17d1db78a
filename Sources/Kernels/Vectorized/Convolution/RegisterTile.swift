import CTesseraShims
import TesseraKernelContract

/// Floats in one vector register.
var lanes: Int {
  @inline(__always) get { Vector.scalarCount }
}

@inline(__always)
func load(_ source: UnsafePointer<Float>) -> Vector {
  UnsafeRawPointer(source).loadUnaligned(as: Vector.self)
}

@inline(__always)
func store(_ value: Vector, _ target: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(target).storeBytes(of: value, as: Vector.self)
}

/// acc[m][v][lane] += sum over 0 <= i < depth of a[m aRow + i aDepth] b[i bDepth + v lanes + lane]
///
/// - a: one float is read for each m and i and broadcast; any strides.
/// - b: `vectors` whole vectors are read for each i; no alignment needed.
/// - Registers: rows vectors accumulators + vectors of b + 1 broadcast; see ``TileList``.
///
/// One statement serves forward and backward-data (m: pixels, i: channels, b: packed weights), backward-weights (m:
/// input channels, i: pixels, b: dy) and matrix products. 2 rows vectors lanes operations need rows + vectors loads a
/// step.
///
/// Every 16 steps the lines that lie `ahead` floats further are asked for: one a row where a row is a run of memory, else
/// one a step; likewise `aheadB` for b. What comes from memory would hold up the tile at each of its lines, which are too
/// many streams for the hardware.
@inline(__always)
func multiplyAccumulate<let rows: Int, let vectors: Int>(
  _ acc: inout InlineArray<rows, InlineArray<vectors, Vector>>,
  a: UnsafePointer<Float>, aRow: Int, aDepth: Int, b: UnsafePointer<Float>, bDepth: Int, depth: Int, ahead: Int,
  aheadB: Int
) {
  var a = a
  var b = b
  // Vectors of four compute too slowly to wait for memory, and of two nested loops the compiler keeps copies of their
  // accumulators on the stack.
  if lanes == 4 { return multiplyAccumulate(&acc, &a, aRow, aDepth, &b, bDepth, steps: depth) }
  var left = depth
  while left > 0 {
    if ahead > 0 {
      if aDepth == 1 {
        for m in 0..<rows { tessera_prefetch(a + (m &* aRow &+ ahead)) }
      } else {
        for i in 0..<16 { tessera_prefetch(a + (i &* aDepth &+ ahead)) }
      }
    }
    if aheadB > 0 {
      for i in 0..<16 { tessera_prefetch(b + (i &* bDepth &+ aheadB)) }
    }
    multiplyAccumulate(&acc, &a, aRow, aDepth, &b, bDepth, steps: min(left, 16))
    left &-= 16
  }
}

@inline(__always)
private func multiplyAccumulate<let rows: Int, let vectors: Int>(
  _ acc: inout InlineArray<rows, InlineArray<vectors, Vector>>, _ a: inout UnsafePointer<Float>, _ aRow: Int,
  _ aDepth: Int, _ b: inout UnsafePointer<Float>, _ bDepth: Int, steps: Int
) {
  var left = steps
  while left > 0 {
    var panel = InlineArray<vectors, Vector>(repeating: .zero)
    for v in 0..<vectors { panel[unchecked: v] = load(b + v &* lanes) }
    for m in 0..<rows {
      let scalar = Vector(repeating: a[m &* aRow])
      for v in 0..<vectors {
        acc[unchecked: m][unchecked: v] = multiplyAdd(acc[unchecked: m][unchecked: v], scalar, panel[unchecked: v])
      }
    }
    a += aDepth
    b += bDepth
    left &-= 1
  }
}

/// What one register tile computes: a sum of products over a small grid of taps, added to a start value, activated,
/// stored.
///
/// out[m outRow + j] = f(start + sum over 0 <= u < uCount, 0 <= t < tCount, 0 <= i < depth of
///   a[u uA + t tA + m aRow + i aDepth] b[u uB + t tB + i bDepth + j]), 0 <= j < valid
///
/// start is bias[j], 0 without a bias, or with `accumulates` what out holds. A count may be 0.
struct TileTask {
  var a: UnsafePointer<Float>
  var b: UnsafePointer<Float>
  var out: UnsafeMutablePointer<Float>
  var bias: UnsafePointer<Float>?
  var aRow: Int, aDepth: Int, bDepth: Int, outRow: Int
  var depth: Int
  var tCount: Int, tA: Int, tB: Int
  var uCount: Int, uA: Int, uB: Int
  /// Elements of a row of out that exist: more than (vectors - 1) lanes, at most vectors lanes.
  var valid: Int
  var accumulates: Bool
  var epilogue: Epilogue
  /// Floats from a to what is read next, asked for in advance; 0 where that is in level 2 anyway.
  var ahead = 0
  /// The same for b.
  var aheadB = 0
  /// Whether out is larger than the caches and goes to memory past them. Only with whole vectors at aligned addresses.
  var streams = false

  /// Joins loops whose steps continue each other, so that the innermost one is as long as possible: neighbouring taps
  /// of a dense window are one run of memory in x and in the packed weights.
  @inline(__always)
  mutating func joinLoops() {
    if tCount > 1, tA == depth &* aDepth, tB == depth &* bDepth {
      depth &*= tCount
      tCount = 1
    }
    if tCount == 1, uCount > 1, uA == depth &* aDepth, uB == depth &* bDepth {
      depth &*= uCount
      uCount = 1
    }
  }
}

/// A tile of rows x vectors accumulators that stay in registers from start value to store.
enum RegisterTile<let rows: Int, let vectors: Int> {
  typealias Accumulators = InlineArray<rows, InlineArray<vectors, Vector>>

  @inline(never)
  static func run(_ task: TileTask) {
    // A store that waits for its line holds up all behind it: the lines come while the products are computed. What is
    // added to is read at once, so the lines behind it are asked for.
    if !task.streams {
      let out = task.accumulates ? task.out + rows &* task.outRow : task.out
      for m in 0..<rows {
        for v in 0..<vectors { tessera_prefetch_to_write(out + (m &* task.outRow &+ v &* lanes)) }
      }
    }
    var acc = start(task)
    var aOuter = task.a
    var bOuter = task.b
    for _ in 0..<task.uCount {
      var a = aOuter
      var b = bOuter
      for _ in 0..<task.tCount {
        multiplyAccumulate(
          &acc, a: a, aRow: task.aRow, aDepth: task.aDepth, b: b, bDepth: task.bDepth,
          depth: task.depth, ahead: task.ahead, aheadB: task.aheadB)
        a += task.tA
        b += task.tB
      }
      aOuter += task.uA
      bOuter += task.uB
    }
    finish(&acc, task)
  }

  @inline(__always)
  static func start(_ task: TileTask) -> Accumulators {
    // Not `repeating:`, which isn't inlined for ten rows and more: the address it gets keeps the accumulators in
    // memory.
    var acc = Accumulators { _ in .init(repeating: .zero) }
    let end = (vectors &- 1) &* lanes
    let last = task.valid &- end
    // Loops over rows have small bodies: one that the compiler doesn't unroll fully would put all accumulators in
    // memory.
    if task.accumulates {
      for v in 0..<vectors &- 1 {
        for m in 0..<rows { acc[unchecked: m][unchecked: v] = load(task.out + (m &* task.outRow &+ v &* lanes)) }
      }
      if last == lanes {
        for m in 0..<rows { acc[unchecked: m][unchecked: vectors &- 1] = load(task.out + (m &* task.outRow &+ end)) }
      } else {
        for m in 0..<rows {
          acc[unchecked: m][unchecked: vectors &- 1] = loadFirst(last, task.out + (m &* task.outRow &+ end))
        }
      }
    } else if let bias = task.bias {
      for v in 0..<vectors {
        let value =
          v < vectors &- 1 || last == lanes
          ? load(bias + v &* lanes) : loadFirst(last, bias + v &* lanes)
        for m in 0..<rows { acc[unchecked: m][unchecked: v] = value }
      }
    }
    return acc
  }

  @inline(__always)
  static func finish(_ acc: inout Accumulators, _ task: TileTask) {
    switch task.epilogue {
    case .none: break
    case .relu:
      for v in 0..<vectors {
        for m in 0..<rows { acc[unchecked: m][unchecked: v] = Epilogue.relu.apply(acc[unchecked: m][unchecked: v]) }
      }
    case .leakyRelu(let slope):
      for v in 0..<vectors {
        for m in 0..<rows {
          acc[unchecked: m][unchecked: v] = Epilogue.leakyRelu(slope).apply(acc[unchecked: m][unchecked: v])
        }
      }
    case .clip(let lower, let upper):
      for v in 0..<vectors {
        for m in 0..<rows {
          acc[unchecked: m][unchecked: v] = Epilogue.clip(lower, upper).apply(acc[unchecked: m][unchecked: v])
        }
      }
    }
    if task.streams {
      for m in 0..<rows {
        for v in 0..<vectors { stream(acc[unchecked: m][unchecked: v], task.out + (m &* task.outRow &+ v &* lanes)) }
      }
      return
    }
    let end = (vectors &- 1) &* lanes
    let last = task.valid &- end
    for v in 0..<vectors &- 1 {
      for m in 0..<rows { store(acc[unchecked: m][unchecked: v], task.out + (m &* task.outRow &+ v &* lanes)) }
    }
    if last == lanes {
      for m in 0..<rows { store(acc[unchecked: m][unchecked: vectors &- 1], task.out + (m &* task.outRow &+ end)) }
    } else {
      for m in 0..<rows {
        storeFirst(last, acc[unchecked: m][unchecked: vectors &- 1], task.out + (m &* task.outRow &+ end))
      }
    }
  }
}
