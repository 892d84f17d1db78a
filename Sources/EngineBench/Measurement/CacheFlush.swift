import Tessera
import TesseraKernels
import TesseraRuntime

/// Empties the caches of the workers' cores: what a run finds in them that follows another program's.
///
/// Each worker writes through memory of its own, twice as large as its level 2 cache and its part of the last one.
final class CacheFlush: Sendable {
  private let session: Session

  /// - Throws: ``TesseraError/Code/systemFailure`` if there is no memory for it.
  init(workers: Int) throws(TesseraError) {
    let machine = Machine.current
    let shared = Set(machine.cores.prefix(workers).map(\.level3)).count
    let bytes =
      2 * (machine.caches.level2Bytes + machine.caches.level3Bytes * max(1, shared) / workers)
    var memories: [HostTensor<Float>] = []
    for _ in 0..<workers {
      memories.append(try HostTensor(bytes / MemoryLayout<Float>.stride) { _ in 0 })
    }
    var graph = Graph()
    try graph.addOutput("y", graph.add(Sweep(memories: memories), [], name: "sweep")[0])
    session = try Session(Program(graph), store: ParameterStore(), workers: workers)
  }

  func run() throws(TesseraError) { try session.run { _ in } }

  /// A task for each worker, which writes one element of each line.
  private struct Sweep: KernelOperation {
    let memories: [HostTensor<Float>]
    var name: String { "sweep" }

    func outputTypes(_ inputs: [TensorType], at location: String) -> [TensorType] {
      [TensorType(.scalar)]
    }
    // So much that all workers take part.
    func flops(_ inputs: [TensorType]) -> Double { 1e9 * Double(memories.count) }

    func kernel(_ context: KernelContext) -> NodeKernel {
      let floatsPerLine = 64 / MemoryLayout<Float>.stride
      return NodeKernel(name: "sweep", taskCount: memories.count) { [memories] tasks, _ in
        for task in tasks {
          let elements = memories[task].elements
          for index in stride(from: 0, to: elements.count, by: floatsPerLine) {
            elements[index] += 1
          }
        }
      }
    }
  }
}
