/// Where each temporary value lies in the arena: an offset for every interval of steps in which it is alive, so that no
/// two values that live at the same time overlap. Peak bytes are known before the first run.
package struct MemoryPlan: Sendable {
  /// A value alive from the step that writes it to the last that reads it, both included.
  package struct Interval: Sendable {
    package var byteCount: Int
    package var firstStep: Int
    package var lastStep: Int

    package init(byteCount: Int, firstStep: Int, lastStep: Int) {
      (self.byteCount, self.firstStep, self.lastStep) = (byteCount, firstStep, lastStep)
    }
  }

  /// Offsets in bytes, one an interval, multiples of ``AlignedMemory/alignment``.
  package let offsets: [Int]
  /// Bytes of the arena.
  package let arenaByteCount: Int

  /// Places large values first, each at the lowest offset that is free during its whole life (greedy by size: Pisarchyk
  /// and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
  package init(_ intervals: [Interval]) {
    var offsets = [Int](repeating: 0, count: intervals.count)
    var placed: [(offset: Int, end: Int, interval: Interval)] = []
    var arena = 0
    let order = intervals.indices.sorted {
      (intervals[$1].byteCount, $0) < (intervals[$0].byteCount, $1)
    }
    for index in order {
      let interval = intervals[index]
      let byteCount = Self.aligned(interval.byteCount)
      var offset = 0
      // `placed` is sorted by offset: the first gap that fits is the lowest.
      for other in placed
      where other.interval.firstStep <= interval.lastStep
        && interval.firstStep <= other.interval.lastStep
      {
        if offset + byteCount <= other.offset { break }
        offset = max(offset, other.end)
      }
      offsets[index] = offset
      let position = placed.firstIndex { $0.offset > offset } ?? placed.count
      placed.insert((offset, offset + byteCount, interval), at: position)
      arena = max(arena, offset + byteCount)
    }
    self.offsets = offsets
    arenaByteCount = arena
  }

  package static func aligned(_ byteCount: Int) -> Int {
    let alignment = AlignedMemory.alignment
    // A value of no bytes gets an address of its own too.
    return (max(byteCount, 1) + alignment - 1) / alignment * alignment
  }
}
