/// Where the workers of a run are: cores in hwloc's order, so that neighbours share caches and then a NUMA node. Workers
/// beyond the cores start again with the first.
package struct WorkerPlaces: Sendable {
  /// Workers that share something: a last-level cache, or the memory of a node.
  package struct Group: Hashable, Sendable {
    /// The first worker of the group and those behind it.
    package var workers: Range<Int>
    /// The operating system's number of the NUMA node.
    package var node: Int
  }

  package let count: Int
  /// Workers below one last-level cache, in order; they never cross a node.
  package let caches: [Group]
  /// Workers on one NUMA node, in order.
  package let nodes: [Group]

  package init(_ machine: Machine, workers: Int) {
    count = workers
    let cores = machine.cores
    /// The group boundaries follow the cores as far as there are any; further workers run unbound and belong to the last.
    func groups(_ isSame: (Machine.Core, Machine.Core) -> Bool) -> [Group] {
      var groups: [Group] = []
      for worker in 0..<min(workers, cores.count) {
        if worker > 0, isSame(cores[worker - 1], cores[worker]) {
          groups[groups.count - 1].workers = groups[groups.count - 1].workers.lowerBound..<worker + 1
        } else {
          groups.append(Group(workers: worker..<worker + 1, node: cores[worker].numaNode))
        }
      }
      if let last = groups.last { groups[groups.count - 1].workers = last.workers.lowerBound..<workers }
      return groups
    }
    nodes = groups { $0.numaNode == $1.numaNode }
    caches = groups { ($0.numaNode, $0.level3) == ($1.numaNode, $1.level3) }
  }
}
