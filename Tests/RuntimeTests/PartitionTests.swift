import Tessera
import TesseraNetworks
import TesseraRuntime
import TesseraVerification
import Testing

/// Networks placed on machines that needn't exist: properties of the plan.
@Suite struct PartitionTests {
  static let machines: [(text: String, workers: Int)] = [
    ("core:1 pu:1", 1),
    ("package:1 l3:1 core:8 pu:2", 8),
    ("package:1 numa:2 l3:4 core:8 pu:2", 64),
    ("package:2 numa:2 l3:4 core:8 pu:2", 128),
    ("package:2 numa:4 l3:4 core:8 pu:2", 256),
  ]

  struct Case: Sendable, CustomStringConvertible {
    var network: String
    var batch: Int
    var machine: String
    var workers: Int
    var description: String { "\(network), batch \(batch), \(workers) workers" }
  }

  static let cases = ["resnet18", "resnet50", "mobilenet_v2", "vgg16"].flatMap { network in
    [1, 16, 256].flatMap { batch in
      machines.map { Case(network: network, batch: batch, machine: $0.text, workers: $0.workers) }
    }
  }

  @Test(arguments: cases) func placesNetworks(_ placed: Case) throws {
    let machine = try Machine(synthetic: placed.machine)
    let network = try NetworkCatalogue.network(named: placed.network)
    let program = try Program(network.model.graph(batch: placed.batch), for: machine)
    let plan = try program.partition(on: machine)
    #expect(plan.places.count == placed.workers)
    for (step, walk) in plan.walks.enumerated() where walk.taskCount > 0 {
      // Every task has one worker.
      let tasks = (0..<placed.workers).flatMap { plan.tasks(step: step, worker: $0) }
      #expect(tasks.count == walk.taskCount && Set(tasks) == Set(0..<walk.taskCount))
      // The largest share is less than one task above the mean.
      let perWorker = Double(walk.taskCount) / Double(placed.workers)
      #expect(plan.imbalance(step: step) < 1 / perWorker)
      if perWorker >= 20 { #expect(plan.imbalance(step: step) <= 0.05) }
      expectPagesAtHome(walk, plan.places)
    }
  }

  /// Across NUMA nodes the outermost cut is batch and rows: tasks of a node touch its own part of them, and the parts at
  /// its ends, which lie on either side.
  private func expectPagesAtHome(_ walk: TaskWalk, _ places: WorkerPlaces) {
    for node in places.nodes {
      let first = walk.pixelParts * node.workers.lowerBound / places.count
      let last = (walk.pixelParts * node.workers.upperBound + places.count - 1) / places.count
      let pixels = walk.positions(of: node.workers, places.count).map { walk.task(at: $0) % walk.pixelParts }
      #expect((pixels.min() ?? first) >= first && (pixels.max() ?? first) < max(first + 1, last))
    }
  }

  @Test func neighboursStayInTheirCache() throws {
    let places = WorkerPlaces(try Machine(synthetic: "package:2 numa:4 l3:4 core:8 pu:2"), workers: 256)
    #expect(places.nodes.map(\.workers.count) == Array(repeating: 32, count: 8))
    #expect(places.caches.map(\.workers.count) == Array(repeating: 8, count: 32))
    // Fewer workers than cores fill caches one after the other; more are counted with the last.
    let some = WorkerPlaces(try Machine(synthetic: "package:1 numa:2 l3:2 core:4 pu:1"), workers: 10)
    #expect(some.nodes.map(\.workers) == [0..<8, 8..<10])
    #expect(some.caches.map(\.workers) == [0..<4, 4..<8, 8..<10])
    let more = WorkerPlaces(try Machine(synthetic: "numa:2 core:2 pu:1"), workers: 9)
    #expect(more.nodes.map(\.workers) == [0..<2, 2..<9])
  }

  /// Bits don't depend on the machine whose caches and nodes the shares follow.
  @Test func placementDoesNotShowInResults() throws {
    let network = try NetworkCatalogue.network(named: "cifar_cnn")
    let program = try Program(network.model.graph(batch: 5))
    let store = ParameterStore(seed: 3)
    var random = TestRandom(9)
    let input = try Tensor((0..<5 * 32 * 32 * 3).map { _ in Float(random.normal()) }, shape: [5, 32, 32, 3])
    var first: [Float]?
    for (text, workers) in Self.machines + [("numa:3 l3:2 core:2 pu:1", 7), ("numa:8 core:1 pu:1", 8)] {
      let session = try Session(
        program, store: store, workers: min(workers, 16), placedOn: Machine(synthetic: text))
      let output = try #require(try session.run(["input": input])["output"]?.elements(as: Float.self))
      #expect(output == first ?? output, "\(text)")
      first = output
    }
  }

  @Test func explanationsNameWhatWasChosen() throws {
    let network = try NetworkCatalogue.network(named: "cifar_vgg")
    let program = try Program(network.model.graph(batch: 16))
    let machine = try Machine(synthetic: "package:2 numa:4 l3:4 core:8 pu:2")
    let explanation = try program.explain(on: machine)
    #expect(explanation.workers == 256)
    #expect(
      explanation.nodes.map(\.name).sorted()
        == program.kernelSummary.map(\.node).filter { !$0.contains("flatten") }.sorted())
    let lines = explanation.text.split(separator: "\n")
    // After the nodes time and memory.
    #expect(lines.count == 2 * explanation.nodes.count + 2)
    #expect(explanation.memory == program.memoryUse(workers: 256) && explanation.largePages == nil)
    #expect(lines.allSatisfy { $0.count <= 80 })
    let convolution = try #require(explanation.nodes.first { $0.algorithm == "winograd4x4" && !$0.isPreparation })
    #expect(convolution.tile != nil && convolution.layout == "NHWC" && convolution.flops > 0)
    #expect(convolution.smallestShare * 256 <= convolution.tasks && convolution.tasks <= convolution.largestShare * 256)
    #expect(explanation.predictedSeconds > 0)
    // Nothing is predicted to gain more than its workers, or to lose by the first of them.
    let alone = try program.explain(on: machine, workers: 1)
    #expect(alone.predictedEfficiency == 1)
    #expect(alone.predictedSeconds > explanation.predictedSeconds)
    #expect(throws: TesseraError.self) { try program.explain(workers: 0) }
  }
}
