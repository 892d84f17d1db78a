import TesseraRuntime
import TesseraVerification
import Testing

/// Who gets which cores, and who waits, without a clock.
@Suite struct CoreTableTests {
  private static func cores(_ lease: CoreTable.Lease) -> [Int] { (0..<CoreTable.maximumCores).filter(lease.contains) }

  /// True iff no two leases have a core in common.
  private static func areApart(_ leases: [CoreTable.Lease], coreCount: Int) -> Bool {
    (0..<coreCount).allSatisfy { core in leases.lazy.filter { $0.contains(core) }.count <= 1 }
  }

  /// One that comes alone gets all it asks for, the caller's core first.
  @Test func aRunAloneGetsTheMachine() {
    var table = CoreTable(coreCount: 70, cacheByteCount: 1 << 25)
    let all = table.enter(.init(cores: 100, byteCount: 0), here: 69)
    #expect(Self.cores(all) == Array(0..<70) && all.count == 70)
    table.leave(all)
    let two = table.enter(.init(cores: 2, byteCount: 0), here: 69)
    #expect(Self.cores(two) == [0, 69])
    // Who doesn't wait gets what is free, or nothing.
    let rest = table.enter(.init(cores: 70, byteCount: 0), here: 0)
    #expect(Self.cores(rest) == Array(1...35))
    let others = (0..<40).map { _ in table.enter(.init(cores: 1, byteCount: 0), here: nil) }
    #expect(others.reduce(0) { $0 + $1.count } == 70 - 2 - 35 && others.last?.count == 0)
    #expect(table.active == 42)
  }

  /// Four clients of two cores: after the first, who has both, each has one, in the order in which they came.
  @Test func clientsShareTheCores() throws {
    var table = CoreTable(coreCount: 2, cacheByteCount: 1 << 25)
    let demand = CoreTable.Demand(cores: 2, byteCount: 1 << 22)
    #expect(table.admits(demand))
    var running = [table.enter(demand, here: nil)]
    #expect(running[0].count == 2)
    for client in 1...3 {
      #expect(!table.admits(demand))
      table.wait(client, demand)
    }
    #expect(table.enterNext() == nil)
    var order: [Int] = []
    for round in 0..<20 {
      table.leave(running.removeFirst())
      while let (client, lease) = table.enterNext() {
        #expect(lease.count == 1)
        order.append(client)
        running.append(lease)
      }
      #expect(running.count == 2)
      // The one that left comes again.
      table.wait(round == 0 ? 0 : order[round - 1], demand)
    }
    #expect(order.prefix(12) == [1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0])
  }

  /// Of runs that fit the last cache alone only, one is in at a time, with all cores; larger ones lose nothing to each
  /// other.
  @Test(arguments: [(16 << 20, 1), (8 << 20, 2), (100 << 20, 2)]) func crowdedCachesAreTakenInTurns(
    byteCount: Int, atOnce: Int
  ) {
    var table = CoreTable(coreCount: 2, cacheByteCount: 32 << 20)
    let demand = CoreTable.Demand(cores: 2, byteCount: byteCount)
    var running = [table.enter(demand, here: nil)]
    for client in 0..<3 { table.wait(client, demand) }
    table.leave(running.removeFirst())
    while let (_, lease) = table.enterNext() { running.append(lease) }
    #expect(running.count == atOnce && running.allSatisfy { $0.count == 2 / atOnce })
  }

  /// Whatever comes and goes: no core has two runs, none that waits is passed by another that waits, someone is always in
  /// where someone waits, and in the end all cores are free.
  @Test(arguments: 0..<(isShort ? 4 : 40)) func noCoreHasTwoRuns(seed: Int) throws {
    var random = TestRandom(UInt64(seed))
    let coreCount = random.int(1...130)
    var table = CoreTable(coreCount: coreCount, cacheByteCount: 32 << 20)
    var running: [CoreTable.Lease] = []
    var waiting: [Int] = []
    for run in 0..<400 {
      let demand = CoreTable.Demand(cores: random.int(1...coreCount), byteCount: random.int(0...40 << 20))
      switch random.int(0...3) {
      case 0 where !running.isEmpty: table.leave(running.remove(at: random.int(0...running.count - 1)))
      case 1 where !waiting.isEmpty:
        // Out of patience.
        table.giveUp(waiting.remove(at: random.int(0...waiting.count - 1)))
        running.append(table.enter(demand, here: random.int(0...coreCount)))
      case 2 where !table.admits(demand):
        table.wait(run, demand)
        waiting.append(run)
      default: running.append(table.enter(demand, here: nil))
      }
      while let (next, lease) = table.enterNext() {
        #expect(next == waiting.first)
        waiting.removeFirst()
        running.append(lease)
      }
      #expect(table.active == running.count && (waiting.isEmpty || !running.isEmpty))
      if run % 25 == 0 { #expect(Self.areApart(running, coreCount: coreCount)) }
    }
    while !running.isEmpty || !waiting.isEmpty {
      if !running.isEmpty { table.leave(running.removeLast()) }
      while let (_, lease) = table.enterNext() {
        waiting.removeFirst()
        running.append(lease)
      }
    }
    #expect(table.enter(.init(cores: coreCount, byteCount: 0), here: nil).count == coreCount)
  }
}
