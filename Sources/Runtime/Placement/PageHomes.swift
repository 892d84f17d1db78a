/// On which NUMA nodes the pages of a piece of memory are to lie: with the workers that use them, or, where all workers use
/// all of it, on one node after the other.
///
/// With one node there is nothing to say, and nothing is done.
package struct PageHomes: Hashable, Sendable {
  /// Bytes from page to page, and the node that has them.
  package struct Part: Hashable, Sendable {
    package var bytes: Range<Int>
    /// The operating system's numbers; of several nodes each has every so manieth page.
    package var nodes: [Int]
  }

  /// In order, without a gap from 0 on; none where there is one node.
  package private(set) var parts: [Part] = []

  /// Wherever the system puts them.
  package static let anywhere = PageHomes()

  private init() {}

  /// Memory that all workers use: spread over the nodes, so that each of them answers its part of the reads.
  package init(spreading byteCount: Int, over nodes: [Int]) {
    guard nodes.count > 1 else { return }
    parts = [Part(bytes: 0..<byteCount, nodes: nodes)]
  }

  /// Memory of which each worker uses its own part: the same part of it as of the batch and its rows.
  package init(cutting byteCount: Int, among places: WorkerPlaces) {
    guard places.nodes.count > 1 else { return }
    cut(0..<byteCount, among: places)
  }

  /// An arena. Values in a slot are as long as it is, so that all of them are cut at the same pages; what isn't in a slot is
  /// spread.
  init(arenaOf plan: ExecutionPlan, _ places: WorkerPlaces) {
    guard places.nodes.count > 1 else { return }
    let spread = plan.arenaSlots.first?.lowerBound ?? plan.arenaByteCount
    if spread > 0 { parts = [Part(bytes: 0..<spread, nodes: places.nodes.map(\.node))] }
    for slot in plan.arenaSlots { cut(slot, among: places) }
  }

  /// The page in which one node's part ends and the next begins is the latter's.
  private mutating func cut(_ bytes: Range<Int>, among places: WorkerPlaces) {
    let pages = (bytes.count + AlignedMemory.page - 1) / AlignedMemory.page
    func start(_ worker: Int) -> Int {
      worker == places.count
        ? bytes.upperBound : bytes.lowerBound + pages * worker / places.count * AlignedMemory.page
    }
    for node in places.nodes {
      let part = start(node.workers.lowerBound)..<start(node.workers.upperBound)
      if !part.isEmpty { parts.append(Part(bytes: part, nodes: [node.node])) }
    }
  }
}
