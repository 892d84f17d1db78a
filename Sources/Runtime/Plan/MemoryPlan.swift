/// Where each temporary value lies in the arena. Two values share memory only if every step that uses the one is done
/// before the first that uses the other begins, in every run that the order of the steps allows. Peak bytes are known
/// before the first run.
///
/// On several NUMA nodes each worker uses its own part of every value, but for those that all read whole, and a page can be
/// on one node only. So a value shares memory there with values of as many pages only, in one place for all of them (a
/// slot): then its pages are cut among the nodes as theirs are. Docs/Decisions/0013-pages-of-several-nodes.md has the
/// alternatives.
package struct MemoryPlan: Sendable {
  /// A value, and the steps that use it in the plan's order. Those that begin to write it come first: all others wait for
  /// one of these.
  package struct Temporary: Sendable {
    package var byteCount: Int
    package var steps: [Int]
    /// Whether every worker reads all of it, as packed weights, and not a part of its own.
    package var isReadWhole: Bool
    /// The first step, and where parts of the value are written side by side, those that don't wait for others that use it.
    package var firstSteps: [Int]

    /// A value that one step writes.
    package init(byteCount: Int, steps: [Int], isReadWhole: Bool = false) {
      (self.byteCount, self.steps, self.isReadWhole) = (byteCount, steps, isReadWhole)
      firstSteps = Array(steps.prefix(1))
    }

    /// A value that several steps may write.
    init(byteCount: Int, steps: [Int], isReadWhole: Bool, _ order: StepOrder) {
      (self.byteCount, self.steps, self.isReadWhole) = (byteCount, steps, isReadWhole)
      firstSteps = steps.filter { step in !steps.contains { order.precedes($0, step) } }
    }
  }

  /// Offsets in bytes, one a value, multiples of ``AlignedMemory/alignment``.
  package let offsets: [Int]
  /// Bytes of the arena.
  package let arenaByteCount: Int
  /// On several nodes: where the values lie that workers have parts of, each as long as the values in it, up to whole pages.
  /// What lies before the first is read whole.
  package let slots: [Range<Int>]

  /// Places large values first, each at the lowest offset that is free (greedy by size: Pisarchyk and Lee, "Efficient
  /// Memory Management for Deep Neural Net Inference", 2020).
  ///
  /// What may run side by side needs memory side by side. Where that would cost more than ``limit(_:)`` beyond steps that
  /// run one after the other, memory goes before: a value is placed as if they did, and steps wait for those whose memory
  /// they write over.
  ///
  /// - Parameters:
  ///   - order: gains what has to wait so that memory can be shared.
  ///   - isForSeveralNodes: whether values are to be cut among NUMA nodes.
  package init(_ values: [Temporary], order: inout StepOrder, isForSeveralNodes: Bool = false) {
    let isSlotted = values.map { isForSeveralNodes && !$0.isReadWhole }
    let free = Self.placed(values.indices.filter { !isSlotted[$0] }, of: values, isSlotted: false, order: &order)
    guard isForSeveralNodes else {
      (offsets, arenaByteCount, slots) = (free.offsets, free.byteCount, [])
      return
    }
    let slotted = Self.placed(values.indices.filter { isSlotted[$0] }, of: values, isSlotted: true, order: &order)
    let start = Self.wholePages(free.byteCount)
    offsets = values.indices.map { isSlotted[$0] ? start + slotted.offsets[$0] : free.offsets[$0] }
    arenaByteCount = start + slotted.byteCount
    slots = slotted.places.map { start + $0.lowerBound..<start + $0.upperBound }
  }

  private static func placed(_ some: [Int], of values: [Temporary], isSlotted: Bool, order: inout StepOrder) -> Arena {
    let bySize = some.sorted { (values[$1].byteCount, $0) < (values[$0].byteCount, $1) }

    var serial = Arena(values, isSlotted: isSlotted)
    for value in bySize { serial.place(value, at: serial.offset(value) { !isSerial(values[value], values[$0]) }) }

    let limit = limit(serial.byteCount)
    var arena = Arena(values, isSlotted: isSlotted)
    var arenaOrder = order
    for value in bySize {
      let offset = arena.offset(value) { !isApart(values[value], values[$0], arenaOrder) }
      if offset + arena.size(value) <= limit {
        arena.place(value, at: offset)
      } else {
        arena.place(value, at: arena.offset(value) { !isSerial(values[value], values[$0]) })
        arena.addEdges(of: value, to: &arenaOrder)
      }
    }
    if arena.byteCount > limit {
      arena = serial
      arenaOrder = order
      for value in bySize { arena.addEdges(of: value, to: &arenaOrder) }
    }
    order = arenaOrder
    return arena
  }

  /// How large an arena may become that takes a given number of bytes with one step at a time: 3 % more, or, in small
  /// programs, as much as a core's level 2 holds.
  package static func limit(_ byteCount: Int) -> Int { byteCount + max(byteCount / 32, 1 << 20) }

  /// Whether the life of one value ends before the other's begins, with one step at a time in the plan's order.
  private static func isSerial(_ a: Temporary, _ b: Temporary) -> Bool {
    guard let (aFirst, aLast) = a.life, let (bFirst, bLast) = b.life else { return true }
    return aLast < bFirst || bLast < aFirst
  }

  /// Whether it does in every run.
  private static func isApart(_ a: Temporary, _ b: Temporary, _ order: StepOrder) -> Bool {
    guard let (aFirst, aLast) = a.life, let (bFirst, bLast) = b.life else { return true }
    if aLast < bFirst { return ends(a, before: b, order) }
    if bLast < aFirst { return ends(b, before: a, order) }
    return false
  }

  private static func ends(_ a: Temporary, before b: Temporary, _ order: StepOrder) -> Bool {
    b.firstSteps.allSatisfy { first in a.steps.allSatisfy { order.precedes($0, first) } }
  }

  package static func aligned(_ byteCount: Int) -> Int {
    let alignment = AlignedMemory.alignment
    // A value of no bytes gets an address of its own too.
    return (max(byteCount, 1) + alignment - 1) / alignment * alignment
  }

  private static func wholePages(_ byteCount: Int) -> Int {
    (max(byteCount, 1) + AlignedMemory.page - 1) / AlignedMemory.page * AlignedMemory.page
  }

  /// Values with an offset, by offset.
  private struct Arena {
    let values: [Temporary]
    let isSlotted: Bool
    var offsets: [Int]
    var byteCount = 0
    private var placed: [(offset: Int, end: Int, value: Int)] = []

    init(_ values: [Temporary], isSlotted: Bool) {
      (self.values, self.isSlotted) = (values, isSlotted)
      offsets = Array(repeating: 0, count: values.count)
    }

    func size(_ value: Int) -> Int {
      isSlotted ? MemoryPlan.wholePages(values[value].byteCount) : MemoryPlan.aligned(values[value].byteCount)
    }

    /// The places of all values, each once.
    var places: [Range<Int>] {
      var places: [Range<Int>] = []
      for (offset, end, _) in placed where places.last?.lowerBound != offset { places.append(offset..<end) }
      return places
    }

    /// The lowest offset at which a value overlaps none of those that it mustn't.
    func offset(_ value: Int, avoids: (Int) -> Bool) -> Int {
      let byteCount = size(value)
      if isSlotted {
        // A slot of its size in which there is no obstacle, or a new one.
        var rest = placed[...]
        while let first = rest.first {
          let slot = rest.prefix { $0.offset == first.offset }
          if first.end - first.offset == byteCount, !slot.contains(where: { avoids($0.value) }) { return first.offset }
          rest = rest.dropFirst(slot.count)
        }
        return self.byteCount
      }
      var offset = 0
      // The first gap that fits is the lowest. What ends below is no obstacle, whatever its life.
      for other in placed where other.end > offset && avoids(other.value) {
        if offset + byteCount <= other.offset { break }
        offset = other.end
      }
      return offset
    }

    mutating func place(_ value: Int, at offset: Int) {
      let end = offset + size(value)
      offsets[value] = offset
      placed.insert((offset, end, value), at: placed.firstIndex { $0.offset > offset } ?? placed.count)
      byteCount = max(byteCount, end)
    }

    /// Has the step that writes a value wait for all that use what was in its memory before, and those that come after
    /// likewise.
    func addEdges(of value: Int, to order: inout StepOrder) {
      let end = offsets[value] + size(value)
      for other in placed where other.value != value && other.offset < end && other.end > offsets[value] {
        let isBefore = (values[other.value].steps.first ?? 0) < (values[value].steps.first ?? 0)
        let (before, after) = isBefore ? (other.value, value) : (value, other.value)
        for first in values[after].firstSteps {
          for step in values[before].steps { order.addEdge(from: step, to: first) }
        }
      }
    }
  }
}

extension MemoryPlan.Temporary {
  fileprivate var life: (first: Int, last: Int)? {
    guard let first = steps.first, let last = steps.last else { return nil }
    return (first, last)
  }
}
