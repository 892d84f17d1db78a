import TesseraGraph

/// Who computes what: for each step of a program the walk that deals its tasks out to the workers of a machine.
///
/// An immutable value that follows from program, machine and number of workers; results don't depend on it. Every share
/// is as large as any other, or one task larger: with t tasks a worker the imbalance is below 1/t.
package struct PartitionPlan: Sendable {
  package let places: WorkerPlaces
  /// One a step.
  package let walks: [TaskWalk]
  /// On which nodes the pages of a run's temporary values lie.
  package let arenaHomes: PageHomes

  init(_ plan: ExecutionPlan, machine: Machine, workers: Int) {
    let places = WorkerPlaces(machine, workers: workers)
    self.places = places
    let choice = WalkChoice(places: places)
    walks = plan.steps.map { choice.walk($0) }
    arenaHomes = PageHomes(arenaOf: plan, places)
  }

  /// The tasks of a step that a worker has for its own, in the order in which it takes them.
  package func tasks(step: Int, worker: Int) -> [Int] {
    walks[step].share(worker, of: places.count).map(walks[step].task(at:))
  }

  /// The largest share of a step beyond the mean, in parts of the mean; 0 for a step without tasks.
  package func imbalance(step: Int) -> Double {
    let count = walks[step].taskCount
    guard count > 0 else { return 0 }
    let largest = (0..<places.count).map { walks[step].share($0, of: places.count).count }.max() ?? 0
    return Double(largest * places.count) / Double(count) - 1
  }
}

/// Chooses the walk of a step: the one that moves the fewest bytes, weighed by how far they come.
struct WalkChoice {
  let places: WorkerPlaces

  /// What a byte costs, in bytes that come from a core's own level 2. Ratios of usual bandwidths a core: 60 GB/s within
  /// a last-level cache, 15 from memory, half of that from another node's.
  private static let fromCache = 1.0, fromMemory = 4.0, fromOtherNode = 8.0

  /// Candidates by their number of bands, the fewest first: of equals the first is taken. Across NUMA nodes the outermost
  /// cut is always batch and rows, so that a node's part of every tensor stays in its own memory.
  func walk(_ step: Step) -> TaskWalk {
    let whole = [0..<places.count]
    let each = (0..<places.count).map { $0..<$0 + 1 }
    let nodes = places.nodes.map(\.workers)
    var candidates = [nodes.count > 1 ? nodes : whole]
    for bands in [nodes, places.caches.map(\.workers), each] where bands.count > candidates[candidates.count - 1].count
    {
      candidates.append(bands)
    }
    let shape = step.shape
    let walks = candidates.map {
      TaskWalk(taskCount: step.taskCount, channelParts: shape.channelParts, bands: $0, of: places.count)
    }
    guard walks.count > 1, shape.channelParts > 1 else {
      // Without channel parts all walks are the numbers in order.
      return walks[0]
    }
    let costs = walks.map { cost($0, step) }
    let least = costs.min() ?? 0
    return walks[costs.firstIndex(of: least) ?? 0]
  }

  /// The bytes that the slowest worker, cache and node bring in, weighed.
  private func cost(_ walk: TaskWalk, _ step: Step) -> Double {
    let weights = step.weightByteCount
    let input = step.inputByteCount
    func bytes(_ workers: Range<Int>) -> Double {
      let extent = walk.extent(walk.positions(of: workers, places.count))
      return Double(weights) * Double(extent.channels) / Double(walk.channelParts)
        + Double(input) * Double(extent.pixels) / Double(max(1, walk.pixelParts))
        + Double(step.shape.haloByteCount * extent.seams)
    }
    let worker = (0..<places.count).map { bytes($0..<$0 + 1) }.max() ?? 0
    let cache = places.caches.map { bytes($0.workers) / Double($0.workers.count) }.max() ?? 0
    return Self.fromCache * worker + Self.fromMemory * cache + Self.fromOtherNode * otherNodes(walk, input)
  }

  /// Bytes of input a worker that lie in another node's memory: pixels are at home where the same part of the batch is.
  private func otherNodes(_ walk: TaskWalk, _ input: Int) -> Double {
    guard places.nodes.count > 1, walk.pixelParts > 0 else { return 0 }
    var most = 0.0
    for node in places.nodes {
      let extent = walk.extent(walk.positions(of: node.workers, places.count))
      let own = Double(walk.pixelParts * node.workers.count) / Double(places.count)
      let foreign = max(0, Double(extent.pixels) - own) / Double(walk.pixelParts)
      most = max(most, foreign * Double(input) / Double(node.workers.count))
    }
    return most
  }
}
