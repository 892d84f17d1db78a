import Tessera
import TesseraNetworks
import TesseraRuntime
import Testing

/// What may run side by side in real networks.
@Suite struct StepOrderTests {
  private static let networks = NetworkCatalogue.all.map(\.name)

  private static func program(_ name: String, isTraining: Bool) throws -> Program {
    let network = try NetworkCatalogue.network(named: name)
    guard isTraining else { return try Program(network.model.graph(batch: 1)) }
    return try Program(
      TrainingGraph.build(
        model: network.model, batch: 2, loss: .softmaxCrossEntropy(), optimizer: .sgd(momentum: 0.9)))
  }

  /// Two steps of which neither waits for the other touch no byte that one of them writes.
  @Test(arguments: networks, [false, true])
  func unorderedStepsTouchDisjointBytes(name: String, isTraining: Bool) throws {
    let program = try Self.program(name, isTraining: isTraining)
    let (order, accesses) = (program.stepOrder, program.memoryAccesses)
    var unordered = 0
    for step in accesses.indices {
      for other in accesses.indices[max(0, step - StepOrder.window)..<step] where !order.precedes(other, step) {
        unordered += 1
        for (a, b) in accesses[other].flatMap({ a in accesses[step].map { (a, $0) } }) where a.conflicts(with: b) {
          Issue.record("\(name): steps \(other) and \(step) both touch \(a.memory) at \(a.bytes) and \(b.bytes)")
        }
      }
    }
    // Backward-data beside backward-weights, if nothing else.
    #expect(unordered > 0 || !isTraining)
    if let commit = program.firstCommitStep {
      for step in accesses.indices where step != commit {
        #expect(step < commit ? order.precedes(step, commit) : order.precedes(commit, step))
      }
    }
  }
}
