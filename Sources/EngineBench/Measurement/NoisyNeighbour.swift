import Dispatch
import Foundation
import Synchronization
import Tessera
import TesseraKernels
import TesseraRuntime

/// Another tenant of the machine: threads that nothing binds, and that multiply on registers and stream through memory in
/// turn, some milliseconds each, until they are stopped.
final class NoisyNeighbour: Sendable {
  private let isStopped = Atomic(false)
  private let threads = DispatchGroup()

  /// - Throws: ``TesseraError/Code/systemFailure`` if there is no memory to stream through.
  init(threads count: Int, instructionSet: InstructionSet) throws(TesseraError) {
    guard let kernels = KernelCatalogue.runnableKernels(for: instructionSet) else { return }
    // Three operands that together are larger than any thread's part of the last cache.
    let elements = (32 << 20) / MemoryLayout<Float>.stride
    var memories: [HostTensor<Float>] = []
    for _ in 0..<count { memories.append(try HostTensor(3 * elements) { _ in 1 }) }
    for memory in memories {
      threads.enter()
      Thread {
        let base = memory.mutablePointer
        var sink: Float = 0
        while !self.isStopped.load(ordering: .relaxed) {
          _ = kernels.multiplyAddLoop(iterations: 100_000, sink: &sink)
          _ = kernels.transferLoop(
            .triad, streams: false, count: elements, a: base + elements, b: base + 2 * elements, y: base)
        }
        self.threads.leave()
      }.start()
    }
  }

  /// Returns when all of its threads have ended.
  func stop() {
    isStopped.store(true, ordering: .relaxed)
    threads.wait()
  }

  /// Calls a function beside such a neighbour, and alone where it has no threads.
  static func beside<Result>(threads: Int, _ instructionSet: InstructionSet, _ body: () throws -> Result) throws
    -> Result
  {
    guard threads > 0 else { return try body() }
    let neighbour = try NoisyNeighbour(threads: threads, instructionSet: instructionSet)
    defer { neighbour.stop() }
    return try body()
  }
}
