import TesseraGraph
import TesseraKernels

/// What holds a step up.
public enum Bound: String, Sendable, Encodable {
  /// Multiply-adds.
  case arithmetic
  case level2 = "L2"
  case level3 = "L3"
  case memory
  /// Starting tasks, and waiting for each other.
  case overhead
}

/// A prediction of one run: the plan's shares walked with a machine's peak, caches and bandwidths. Never a measurement.
///
/// A step takes as long as its slowest share: the longer of its arithmetic and its traffic, since kernels ask for what
/// they read next, and what it costs to claim tasks and to meet at the end. Where data come from follows from what was
/// touched since they were last: within three quarters of a cache, from there; so a small network stays in cache from run
/// to run, and a large one doesn't.
struct Simulation {
  let partition: PartitionPlan
  /// One a step; steps that a steady run skips take no time.
  private(set) var steps: [Prediction] = []

  struct Prediction: Sendable {
    var seconds = 0.0
    var bound = Bound.overhead
  }

  /// To claim a task and call its kernel.
  private static let taskSeconds = 60e-9
  /// To meet at the end of a step, for each worker: a line that all write goes round. 0.07 us were measured for two.
  private static let meetingSeconds = 35e-9

  var seconds: Double { steps.reduce(0) { $0 + $1.seconds } }

  init(_ plan: ExecutionPlan, _ partition: PartitionPlan, machine: Machine, lanes: Int, figures: MachineFigures) {
    self.partition = partition
    let traffic = Traffic(plan, places: partition.places, caches: machine.caches)
    // Preparation is part of a training step, whose commit makes it stale.
    let first = plan.isTraining ? 0 : plan.prepareStepCount
    let stepSeconds = 2 * Double(lanes) / (figures.gflopsPerCore * 1e9)
    for (index, step) in plan.steps.enumerated() {
      guard index >= first, step.taskCount > 0 else {
        steps.append(Prediction())
        continue
      }
      steps.append(
        Self.predict(step, partition.walks[index], partition.places, traffic.levels[index], stepSeconds, figures))
    }
  }

  private static func predict(
    _ step: Step, _ walk: TaskWalk, _ places: WorkerPlaces, _ levels: [MemoryLevel], _ stepSeconds: Double,
    _ figures: MachineFigures
  ) -> Prediction {
    var slowest = Prediction()
    for cache in places.caches {
      // Workers of a node draw on its memory together. What several workers of one cache read comes from memory once.
      let node = places.nodes.first { $0.workers.contains(cache.workers.lowerBound) } ?? cache
      let drawing = Double(max(1, min(node.workers.count, step.taskCount)))
      let together = walk.extent(walk.positions(of: cache.workers, places.count))
      for worker in cache.workers {
        let share = walk.share(worker, of: places.count)
        guard !share.isEmpty else { continue }
        let own = walk.extent(share)
        var seconds: [MemoryLevel: Double] = [:]
        for (operand, level) in zip(step.operands.indices, levels) {
          let isOutput = operand >= step.inputCount
          /// Of the operand, the part that belongs to a piece of the walk.
          func part(_ extent: TaskWalk.Extent, _ tasks: Int) -> Double {
            if isOutput { return Double(tasks) / Double(walk.taskCount) }
            return operand == step.shape.weightOperand
              ? Double(extent.channels) / Double(walk.channelParts)
              : Double(extent.pixels) / Double(max(1, walk.pixelParts))
          }
          let bytes = Double(step.operands[operand].byteCount)
          func add(_ level: MemoryLevel, _ part: Double, _ rate: MachineFigures.Rate) {
            let rate = isOutput ? rate.write : rate.read
            seconds[level, default: 0] += bytes * part / (max(rate, 1e-3) * 1e9)
          }
          switch level {
          // Level 1 serves the registers while they multiply.
          case .level1, .level2: add(.level2, part(own, share.count), figures.level2)
          case .level3: add(.level3, part(own, share.count), figures.level3)
          case .memory:
            let all = walk.positions(of: cache.workers, places.count).count
            let once = part(together, all) / Double(cache.workers.count)
            let rate = MachineFigures.Rate(
              read: min(figures.memory.read, figures.memoryPerNode.read / drawing),
              write: min(figures.memory.write, figures.memoryPerNode.write / drawing))
            add(.memory, once, rate)
            add(.level3, max(0, part(own, share.count) - once), figures.level3)
          }
        }
        let arithmetic = step.shape.multiplyAddSteps * Double(share.count) / Double(walk.taskCount) * stepSeconds
        let transfer = seconds.values.reduce(0, +)
        let overhead = Double(share.count) * taskSeconds
        let total = max(arithmetic, transfer) + overhead
        guard total > slowest.seconds else { continue }
        slowest.seconds = total
        if overhead > max(arithmetic, transfer) {
          slowest.bound = .overhead
        } else if arithmetic >= transfer {
          slowest.bound = .arithmetic
        } else {
          switch seconds.max(by: { $0.value < $1.value })?.key {
          case .memory: slowest.bound = .memory
          case .level3: slowest.bound = .level3
          default: slowest.bound = .level2
          }
        }
      }
    }
    if places.count > 1 { slowest.seconds += Double(places.count) * meetingSeconds }
    return slowest
  }
}

/// From which level the operands of each step come when a run follows another.
private struct Traffic {
  /// One for each operand of each step.
  private(set) var levels: [[MemoryLevel]] = []

  init(_ plan: ExecutionPlan, places: WorkerPlaces, caches: CacheSizes) {
    let first = plan.isTraining ? 0 : plan.prepareStepCount
    let workersPerCache = places.count / max(1, places.caches.count)
    levels = plan.steps.map { $0.operands.map { _ in .memory } }
    // Bytes touched up to the last use of each place, counted from the beginning of the run before.
    var lastTouched: [Location: Int] = [:]
    var touched = 0
    for _ in 0..<2 {
      for index in plan.steps.indices.dropFirst(first) {
        let step = plan.steps[index]
        touched += step.operands.reduce(0) { $0 + $1.byteCount }
        for (operand, value) in step.operands.enumerated() where value.byteCount > 0 {
          if let last = lastTouched[value.location] {
            // A worker meets its own part of every tensor again.
            levels[index][operand] = MemoryLevel(
              holding: (touched - last) / places.count, caches,
              level3Share: caches.level3Bytes / max(1, workersPerCache))
          }
          lastTouched[value.location] = touched
        }
      }
    }
  }
}
