import TesseraGraph
import Testing

@Suite struct EliminateDeadNodesTests {
  @Test func whatNothingNeedsGoes() throws {
    var graph = Graph()
    let type = TensorType([3])
    let x = try graph.addInput("x", type)
    let w = try graph.addVariable(Variable(name: "w", type: type))
    let kept = try graph.apply(Add(), x, w, name: "kept")
    let dead = try graph.apply(Multiply(), x, w, name: "dead")
    _ = try graph.apply(Subtract(), dead, x, name: "dead too")
    _ = try graph.add(Opaque(outputCount: 0), [x], name: "without result")
    let updated = try graph.apply(Affine(factor: 2), w, name: "updated")
    let checked = try graph.apply(SumAll(), x, name: "checked")
    let pair = try graph.add(Opaque(outputCount: 2), [x], name: "pair")
    try graph.addOutput("y", kept)
    try graph.addOutput("second", pair[1])
    try graph.addUpdate(of: w, to: updated)
    try graph.requireFinite(checked)

    let result = try EliminateDeadNodes().run(graph)
    #expect(result.nodes.map(\.name) == ["kept", "updated", "checked", "pair"])
    #expect(result.inputs.map(\.name) == ["x"])
    #expect(result.variables.map(\.variable.name) == ["w"])
    #expect(result.outputs.map { result.name(of: $0.value) } == ["kept", "pair:1"])
    #expect(result.updates.map { result.name(of: $0.value) } == ["updated"])
    #expect(result.finiteChecks.map { result.name(of: $0) } == ["checked"])
    // Nothing is left to drop.
    #expect(try EliminateDeadNodes().run(result).nodes.count == 4)
  }

  /// Inputs and variables are the signature and stay.
  @Test func anEmptyProgramKeepsItsSignature() throws {
    let model = Sequential([Dense(3), ReLU()])
    var graph = try model.graph(batch: 1, inputShape: [4])
    graph = try EliminateDeadNodes().run(graph)
    #expect(graph.nodes.count == 2)
    var unread = Graph()
    let x = try unread.addInput("x", TensorType([2]))
    _ = try unread.apply(SumAll(), x, name: "sum")
    let result = try EliminateDeadNodes().run(unread)
    #expect(result.nodes.isEmpty && result.inputs.map(\.name) == ["x"])
  }
}
