/// Who has which cores of a machine, and which runs wait for some: the rules of ``CoreLeases`` without a lock or a clock.
///
/// A core has one run. Runs are let in one after the other, in the order in which they came, each as soon as a core is free;
/// runs of which each fits the last caches, but not beside those that are in, take turns instead of driving each other's
/// values out. One that doesn't want to wait is let in at once, with the cores that are free or with none.
package struct CoreTable {
  /// What a run asks for.
  package struct Demand: Sendable {
    package var cores: Int
    /// Of memory that is the run's own.
    package var byteCount: Int

    package init(cores: Int, byteCount: Int) { (self.cores, self.byteCount) = (cores, byteCount) }
  }

  /// More than any machine has; further cores are left alone.
  package static let maximumCores = 1024

  /// Cores of one run, a bit each; the run's bytes, as far as they count.
  package struct Lease: Sendable {
    fileprivate(set) var bits: InlineArray<16, UInt64> = .init(repeating: 0)
    package fileprivate(set) var count = 0
    fileprivate var byteCount = 0

    package init() {}

    package func contains(_ core: Int) -> Bool { bits[core >> 6] >> UInt64(core & 63) & 1 == 1 }
  }

  private let coreCount: Int
  /// Of the last caches, of which runs may fill three quarters.
  private let room: Int
  /// One bit a core.
  private var taken: InlineArray<16, UInt64> = .init(repeating: 0)
  private var takenCount = 0
  /// Runs that were let in, whether they got cores or not.
  package private(set) var active = 0
  private var activeByteCount = 0
  /// Numbers and demands of those that wait, in their order.
  private var waiting: [(number: Int, demand: Demand)] = []

  package init(coreCount: Int, cacheByteCount: Int) {
    self.coreCount = min(coreCount, Self.maximumCores)
    room = cacheByteCount / 4 * 3
    waiting.reserveCapacity(64)
  }

  /// Lets a run in at once.
  /// - Parameter here: the core that its caller is on, which it gets if it is free.
  package mutating func enter(_ demand: Demand, here: Int?) -> Lease {
    // Where as many runs are under way or wait as there are cores, each gets one at most. Who goes in alone gets them all.
    let others = isAlone(demand) ? active : active + waiting.count
    let share = max(1, coreCount / (others + 1))
    var lease = Lease()
    active += 1
    if demand.byteCount <= room {
      lease.byteCount = demand.byteCount
      activeByteCount += demand.byteCount
    }
    if let here, here < coreCount { take(here, &lease) }
    for core in 0..<coreCount where lease.count < min(demand.cores, share) { take(core, &lease) }
    return lease
  }

  /// Whether a run may go in without waiting.
  package func admits(_ demand: Demand) -> Bool { waiting.isEmpty && fits(demand) }

  package mutating func wait(_ number: Int, _ demand: Demand) { waiting.append((number, demand)) }

  /// A run no longer waits.
  package mutating func giveUp(_ number: Int) { waiting.removeAll { $0.number == number } }

  /// Lets the run in that has waited longest, if it may go in.
  package mutating func enterNext() -> (number: Int, lease: Lease)? {
    guard let first = waiting.first, fits(first.demand) else { return nil }
    waiting.removeFirst()
    return (first.number, enter(first.demand, here: nil))
  }

  package mutating func leave(_ lease: Lease) {
    active -= 1
    activeByteCount -= lease.byteCount
    takenCount -= lease.count
    for word in taken.indices { taken[word] &= ~lease.bits[word] }
  }

  private func fits(_ demand: Demand) -> Bool {
    active == 0 || takenCount < coreCount && (demand.byteCount > room || activeByteCount + demand.byteCount <= room)
  }

  /// Whether no second run of the kind would fit beside it.
  private func isAlone(_ demand: Demand) -> Bool { demand.byteCount <= room && 2 * demand.byteCount > room }

  private mutating func take(_ core: Int, _ lease: inout Lease) {
    let bit: UInt64 = 1 << UInt64(core & 63)
    guard taken[core >> 6] & bit == 0 else { return }
    taken[core >> 6] |= bit
    lease.bits[core >> 6] |= bit
    lease.count += 1
    takenCount += 1
  }
}
