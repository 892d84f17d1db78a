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
      expectPartsAtHome(walk, plan.places)
    }
    expectPagesAtHome(program, plan)
  }

  /// The parts of batch and rows that a node has tasks of, and those at its ends, which lie on either side.
  private func parts(_ walk: TaskWalk, of node: WorkerPlaces.Group, _ places: WorkerPlaces) -> Range<Int> {
    let first = walk.pixelParts * node.workers.lowerBound / places.count
    return first..<(walk.pixelParts * node.workers.upperBound + places.count - 1) / places.count
  }

  /// Across NUMA nodes the outermost cut is batch and rows: tasks of a node touch its own part of them.
  private func expectPartsAtHome(_ walk: TaskWalk, _ places: WorkerPlaces) {
    for node in places.nodes {
      let (first, last) = (parts(walk, of: node, places).lowerBound, parts(walk, of: node, places).upperBound)
      let pixels = walk.positions(of: node.workers, places.count).map { walk.task(at: $0) % walk.pixelParts }
      #expect((pixels.min() ?? first) >= first && (pixels.max() ?? first) < max(first + 1, last))
    }
  }

  /// In a training step, whose packed weights are temporary, too.
  @Test func placesTraining() throws {
    let network = try NetworkCatalogue.network(named: "resnet18")
    let graph = try TrainingGraph.build(
      model: network.model, batch: 16, loss: .softmaxCrossEntropy(), optimizer: .adam())
    for machine in Self.machines.suffix(3) {
      let machine = try Machine(synthetic: machine.text)
      let program = try Program(graph, for: machine)
      expectPagesAtHome(program, try program.partition(on: machine))
    }
  }

  /// Every page of the arena lies on a node that uses it, whichever value is in it: what a step's tasks touch of an operand
  /// is the same part of it as of batch and rows, to within the page and the part between two shares. What all read is
  /// spread over the nodes.
  private func expectPagesAtHome(_ program: Program, _ plan: PartitionPlan) {
    let (places, homes) = (plan.places, plan.arenaHomes.parts)
    guard places.nodes.count > 1 else {
      #expect(homes.isEmpty)
      return
    }
    // Each byte has one home.
    #expect(homes.first?.bytes.lowerBound == 0 && homes.last?.bytes.upperBound == program.memoryUse().arenaByteCount)
    #expect(zip(homes, homes.dropFirst()).allSatisfy { $0.bytes.upperBound == $1.bytes.lowerBound })
    for (walk, accesses) in zip(plan.walks, program.memoryAccesses) where walk.taskCount > 0 {
      for access in accesses where access.memory == .arena(offset: 0) && !access.bytes.isEmpty {
        var low = 0, high = homes.count
        while low < high {
          let middle = (low + high) / 2
          if homes[middle].bytes.upperBound <= access.bytes.lowerBound { low = middle + 1 } else { high = middle }
        }
        for home in homes[low...].prefix(while: { $0.bytes.lowerBound < access.bytes.upperBound }) {
          guard home.nodes.count == 1 else { continue }
          #expect(!access.isWhole)
          let node = places.nodes.first { [$0.node] == home.nodes }
          let own = node.map { parts(walk, of: $0, places) } ?? 0..<0
          let piece = home.bytes.clamped(to: access.bytes)
          let first = piece.lowerBound - access.bytes.lowerBound + AlignedMemory.page
          let last = piece.upperBound - access.bytes.lowerBound - AlignedMemory.page
          guard first < last else { continue }
          let used = first * walk.pixelParts / access.bytes.count...(last - 1) * walk.pixelParts / access.bytes.count
          #expect(used.lowerBound >= own.lowerBound - 1 && used.upperBound <= own.upperBound)
        }
      }
    }
    // What is spread is what some step reads whole, or holds nothing else.
    let spread = homes.prefix { $0.nodes.count > 1 }.last?.bytes.upperBound ?? 0
    let whole = Set(program.memoryAccesses.joined().filter(\.isWhole).map(\.bytes))
    for access in program.memoryAccesses.joined()
    where access.memory == .arena(offset: 0) && !access.bytes.isEmpty && access.bytes.lowerBound < spread {
      #expect(whole.contains(access.bytes))
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

  /// Takes down what is to be bound, and obeys or refuses.
  private final class Recorder: Sendable {
    struct Call: Sendable {
      var start: Int, count: Int
      var nodes: [Int]
    }
    let calls = Lock<[Call]>([])

    func binder(refuses: Bool) -> PageBinder {
      PageBinder(
        bind: { bytes, nodes in
          // Before the first use nothing is in it.
          self.calls.withLock {
            $0.append(Call(start: Int(bitPattern: bytes.baseAddress), count: bytes.count, nodes: nodes))
          }
          return !refuses
        }, processor: { _ in refuses ? Machine.current.cores.first?.processor : nil })
    }
  }

  /// A session on several nodes has all its memory bound before it is used; refused, it goes on, with the same results. With
  /// one node nothing is bound.
  @Test func memoryIsBoundToNodes() throws {
    let network = try NetworkCatalogue.network(named: "cifar_cnn")
    let machine = try Machine(synthetic: "numa:4 l3:1 core:2 pu:1")
    var random = TestRandom(9)
    let input = try Tensor((0..<32 * 32 * 32 * 3).map { _ in Float(random.normal()) }, shape: [32, 32, 32, 3])
    let one = try Program(network.model.graph(batch: 32))
    let alone = try Session(one, store: ParameterStore(seed: 3), workers: 2).run(["input": input])["output"]
    let program = try Program(network.model.graph(batch: 32), for: machine)
    for refuses in [false, true] {
      let recorder = Recorder()
      let session = try Session(
        program, store: ParameterStore(seed: 3), workers: 8, placedOn: machine,
        pages: recorder.binder(refuses: refuses))
      let output = try session.run(["input": input])["output"]
      if one.instructionSet == program.instructionSet, Machine.current.caches == machine.caches {
        #expect(try output?.elements(as: Float.self) == alone?.elements(as: Float.self))
      }
      let calls = recorder.calls.withLock { $0 }
      // The arena, from its first byte to its last.
      let use = program.memoryUse(workers: 8)
      let arena = try #require(
        session.memory.first { $0.byteCount == use.arenaByteCount }.map { Int(bitPattern: $0.base) })
      let own = calls.filter { (arena..<arena + use.arenaByteCount).contains($0.start) }
      #expect(own.reduce(0) { $0 + $1.count } == use.arenaByteCount)
      for node in 0..<4 {
        // An even share of what isn't spread, to a page of each slot.
        #expect(own.contains { $0.nodes == [node] })
      }
      // Packed weights are on all nodes in turn.
      #expect(calls.contains { $0.count == use.preparedByteCount && $0.nodes == [0, 1, 2, 3] })
    }
    let recorder = Recorder()
    let flat = try Machine(synthetic: "l3:1 core:8 pu:1")
    let session = try Session(
      Program(network.model.graph(batch: 32), for: flat), store: ParameterStore(seed: 3), workers: 8, placedOn: flat,
      pages: recorder.binder(refuses: false))
    _ = try session.run(["input": input])
    #expect(recorder.calls.withLock { $0.isEmpty })
  }

  /// The system binds to a node that there is, or refuses; memory can be used either way. A node that there isn't is refused.
  @Test func theSystemBindsOrRefuses() throws {
    let node = try #require(Machine.current.numaNodes.first)
    for nodes in [[node], [node, node + 1000], [1 << 40]] {
      let memory = try AlignedMemory(allocating: 3 * AlignedMemory.page, for: "pages")
      memory.bytes[5000] = 7
      let isBound = PageBinder.system.bind(memory.bytes, nodes)
      if nodes.count > 1 || nodes == [1 << 40] { #expect(!isBound) }
      memory.bytes[0] = 1
      #expect(memory.bytes[0] == 1 && memory.bytes[5000] == 7)
    }
    #expect(PageBinder.system.processor(node) != nil && PageBinder.system.processor(-1) == nil)
    #expect(!PageBinder.system.bind(UnsafeMutableRawBufferPointer(start: nil, count: 0), [node]))
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
