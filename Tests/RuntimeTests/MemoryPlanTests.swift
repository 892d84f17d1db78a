import TesseraRuntime
import TesseraVerification
import Testing

@Suite struct MemoryPlanTests {
  /// Steps that wait for some of those before them, and values that some of them use.
  private struct Problem {
    var order: StepOrder
    var values: [MemoryPlan.Temporary]

    init(seed: UInt64, largest: Int) {
      var random = TestRandom(seed)
      let count = random.int(2...150)
      order = StepOrder(
        predecessors: (0..<count).map { step in
          Set((0..<random.int(0...2)).compactMap { _ in step == 0 ? nil : random.int(max(0, step - 70)...step - 1) })
        })
      values = []
      for _ in 0..<random.int(1...60) {
        let first = random.int(0...count - 1)
        // Who reads a value waits for it.
        let readers = Set((0..<random.int(0...3)).map { _ in random.int(first...min(count - 1, first + 80)) })
        for reader in readers where reader > first { order.addEdge(from: first, to: reader) }
        values.append(
          MemoryPlan.Temporary(byteCount: random.int(0...largest), steps: readers.union([first]).sorted()))
      }
    }
  }

  /// Which steps are done when one begins, from the rule that workers follow alone.
  private static func done(_ order: StepOrder) -> [Set<Int>] {
    var done: [Set<Int>] = []
    for step in order.predecessors.indices {
      var before = Set(0..<max(0, step + 1 - StepOrder.window))
      for distance in 1..<StepOrder.window where order.predecessors[step] >> UInt64(64 - distance) & 1 == 1 {
        before.insert(step - distance)
        before.formUnion(done[step - distance])
      }
      done.append(before)
    }
    return done
  }

  /// Values overlap only if in every run the one is used for the last time before the other is for the first; none begins
  /// off alignment, none ends outside the arena, and the arena is hardly larger than for one step after the other.
  @Test(arguments: 0..<60)
  func liveValuesDontOverlap(seed: Int) {
    // So that the limit decides often, seldom and never.
    var problem = Problem(seed: UInt64(seed), largest: [5000, 200_000, 10_000_000][seed % 3])
    let values = problem.values
    let plan = MemoryPlan(values, order: &problem.order)
    let done = Self.done(problem.order)
    func ends(_ a: MemoryPlan.Temporary, before b: MemoryPlan.Temporary) -> Bool {
      a.steps.allSatisfy { done[b.steps[0]].contains($0) }
    }
    for (i, a) in values.enumerated() {
      #expect(plan.offsets[i] % AlignedMemory.alignment == 0)
      #expect(plan.offsets[i] + a.byteCount <= plan.arenaByteCount)
      for (j, b) in values.enumerated() where i < j && !ends(a, before: b) && !ends(b, before: a) {
        #expect(
          plan.offsets[i] + a.byteCount <= plan.offsets[j] || plan.offsets[j] + b.byteCount <= plan.offsets[i])
      }
    }
    var chain = StepOrder(predecessors: done.indices.map { $0 == 0 ? [] : [$0 - 1] })
    #expect(plan.arenaByteCount <= MemoryPlan.limit(MemoryPlan(values, order: &chain).arenaByteCount))
  }

  /// Cut among nodes, values share memory with values of as many pages only, in the same place; those that are read whole lie
  /// before them.
  @Test(arguments: 0..<30)
  func valuesOfSeveralNodesShareSlots(seed: Int) {
    var problem = Problem(seed: UInt64(seed), largest: [5000, 200_000, 10_000_000][seed % 3])
    var random = TestRandom(UInt64(seed))
    for index in problem.values.indices {
      problem.values[index].isReadWhole = random.int(0...3) == 0
      // Some of one size, as in a network.
      if random.int(0...1) == 0 { problem.values[index].byteCount = 123_456 }
    }
    let values = problem.values
    let plan = MemoryPlan(values, order: &problem.order, isForSeveralNodes: true)
    let done = Self.done(problem.order)
    func ends(_ a: MemoryPlan.Temporary, before b: MemoryPlan.Temporary) -> Bool {
      a.steps.allSatisfy { done[b.steps[0]].contains($0) }
    }
    #expect(zip(plan.slots, plan.slots.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
    #expect(plan.slots.allSatisfy { $0.lowerBound % AlignedMemory.page == 0 && $0.count % AlignedMemory.page == 0 })
    for (i, a) in values.enumerated() {
      let bytes = plan.offsets[i]..<plan.offsets[i] + a.byteCount
      #expect(bytes.upperBound <= plan.arenaByteCount)
      if a.isReadWhole {
        #expect(bytes.upperBound <= plan.slots.first?.lowerBound ?? plan.arenaByteCount)
      } else {
        let slot = plan.slots.first { $0.lowerBound == bytes.lowerBound }
        #expect(slot.map { bytes.count <= $0.count && $0.count < max(1, bytes.count) + AlignedMemory.page } == true)
      }
      for (j, b) in values.enumerated() where i < j && !ends(a, before: b) && !ends(b, before: a) {
        #expect(
          bytes.upperBound <= plan.offsets[j] || plan.offsets[j] + b.byteCount <= bytes.lowerBound)
      }
    }
  }

  /// A chain in which only two values live at once needs the memory of the two largest neighbours.
  @Test func aChainReusesMemory() {
    var order = StepOrder(predecessors: (0..<22).map { $0 == 0 ? [] : [$0 - 1] })
    let chain = (0..<20).map { MemoryPlan.Temporary(byteCount: 1024, steps: [$0, $0 + 1]) }
    #expect(MemoryPlan(chain, order: &order).arenaByteCount == 2048)
  }

  /// Two branches have memory of their own as long as it is cheap; then they wait for each other.
  @Test func branchesShareMemoryThatIsDear() {
    for (byteCount, isShared) in [(1 << 10, false), (64 << 20, true)] {
      // 0 and 1 are one branch, 2 and 3 another.
      var order = StepOrder(predecessors: [[], [0], [], [2]])
      let plan = MemoryPlan(
        [.init(byteCount: byteCount, steps: [0, 1]), .init(byteCount: byteCount, steps: [2, 3])], order: &order)
      #expect(plan.arenaByteCount == (isShared ? 1 : 2) * byteCount)
      #expect(order.precedes(1, 2) == isShared)
    }
  }

  /// Precedence is what the rule says, of any steps.
  @Test(arguments: 0..<20)
  func precedenceIsTransitive(seed: Int) {
    let order = Problem(seed: UInt64(seed), largest: 1).order
    let done = Self.done(order)
    for (step, before) in done.enumerated() {
      for other in done.indices { #expect(order.precedes(other, step) == before.contains(other)) }
    }
  }
}
