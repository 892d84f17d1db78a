import CHwloc

/// Puts pages on NUMA nodes before they are used for the first time.
package struct PageBinder: Sendable {
  /// Has the system put the pages of some bytes on a node, or on several in turn, by the operating system's numbers; false
  /// where it refuses.
  package var bind: @Sendable (_ bytes: UnsafeMutableRawBufferPointer, _ nodes: [Int]) -> Bool
  /// A processor of a node, where a thread that touches a page first gets it from that node's memory; nil: there is none.
  package var processor: @Sendable (_ node: Int) -> Int?

  package init(
    bind: @escaping @Sendable (UnsafeMutableRawBufferPointer, [Int]) -> Bool,
    processor: @escaping @Sendable (Int) -> Int?
  ) {
    (self.bind, self.processor) = (bind, processor)
  }

  /// This machine's: hwloc's memory binding, with pages that were used before moved.
  package static let system = PageBinder(
    bind: { bytes, nodes in
      guard let topology, let set = ProcessorSet(), let base = bytes.baseAddress, !bytes.isEmpty else { return false }
      for node in nodes {
        guard let node = UInt32(exactly: node) else { return false }
        hwloc_bitmap_set(set.bitmap, node)
      }
      let policy = nodes.count == 1 ? HWLOC_MEMBIND_BIND : HWLOC_MEMBIND_INTERLEAVE
      let flags = Int32(HWLOC_MEMBIND_BYNODESET.rawValue | HWLOC_MEMBIND_MIGRATE.rawValue)
      return hwloc_set_area_membind(topology.handle, base, bytes.count, set.bitmap, policy, flags) == 0
    },
    processor: { node in Machine.current.cores.first { $0.numaNode == node }?.processor })

  /// Leaves pages where the system puts them: for machines that needn't exist.
  package static let none = PageBinder(bind: { _, _ in true }, processor: { _ in nil })

  private static let topology = Topology.ofThisSystem()

  /// Binds what has a home, or touches it from there where the system refuses.
  func place(_ memory: UnsafeMutableRawBufferPointer, _ homes: PageHomes) {
    for part in homes.parts {
      let bytes = UnsafeMutableRawBufferPointer(rebasing: memory[part.bytes.clamped(to: 0..<memory.count)])
      guard !bytes.isEmpty, !bind(bytes, part.nodes) else { continue }
      RuntimeLog.memoryBindingRefused
      touch(bytes, from: part.nodes)
    }
  }

  private func touch(_ bytes: UnsafeMutableRawBufferPointer, from nodes: [Int]) {
    for (index, node) in nodes.enumerated() {
      let binding = processor(node).flatMap { ThreadBinding(toProcessor: $0) }
      for offset in stride(from: index * AlignedMemory.page, to: bytes.count, by: nodes.count * AlignedMemory.page) {
        bytes[offset] = 0
      }
      _ = consume binding
    }
  }
}
