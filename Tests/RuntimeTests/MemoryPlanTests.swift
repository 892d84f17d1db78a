import TesseraRuntime
import Testing

@Suite struct MemoryPlanTests {
  /// No two values that live at the same time overlap, none begins off alignment, none ends outside the arena.
  @Test(arguments: 0..<50)
  func liveValuesDontOverlap(seed: Int) {
    var random = TestRandom(UInt64(seed))
    let intervals = (0..<random.int(1...60)).map { _ in
      let first = random.int(0...40)
      return MemoryPlan.Interval(
        byteCount: random.int(0...5000), firstStep: first, lastStep: first + random.int(0...10))
    }
    let plan = MemoryPlan(intervals)
    for (i, a) in intervals.enumerated() {
      #expect(plan.offsets[i] % AlignedMemory.alignment == 0)
      #expect(plan.offsets[i] + a.byteCount <= plan.arenaByteCount)
      for (j, b) in intervals.enumerated()
      where i < j && a.firstStep <= b.lastStep && b.firstStep <= a.lastStep {
        #expect(
          plan.offsets[i] + a.byteCount <= plan.offsets[j]
            || plan.offsets[j] + b.byteCount <= plan.offsets[i])
      }
    }
    // Never worse than no reuse at all.
    #expect(plan.arenaByteCount <= intervals.reduce(0) { $0 + MemoryPlan.aligned($1.byteCount) })
  }

  /// A chain in which only two values live at once needs the memory of the two largest neighbours.
  @Test func aChainReusesMemory() {
    let chain = (0..<20).map {
      MemoryPlan.Interval(byteCount: 1024, firstStep: $0, lastStep: $0 + 1)
    }
    #expect(MemoryPlan(chain).arenaByteCount == 2048)
  }
}
