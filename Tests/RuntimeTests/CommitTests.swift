import Tessera
import Testing

/// What a step writes, where updates and other nodes meet at the same variables.
@Suite struct CommitTests {
  private let type = TensorType([3])

  private func sgd(_ w: Value, _ gradient: Value, _ rate: Value, in graph: inout Graph, name: String) throws -> Value {
    try graph.add(SGDUpdate(momentum: 0, weightDecay: 0, nesterov: false), [w, gradient, rate], name: name)[0]
  }

  private func variable(_ name: String, _ value: Double, in graph: inout Graph) throws -> Value {
    try graph.addVariable(Variable(name: name, type: type, initializer: .constant(value)))
  }

  /// Updates read all variables as they were before the step, whichever way the others are written.
  @Test func updatesReadOldValues() throws {
    var graph = Graph()
    let rate = try graph.addInput("rate", TensorType(.scalar))
    let (a, b, c) = (
      try variable("a", 1, in: &graph), try variable("b", 10, in: &graph), try variable("c", 100, in: &graph)
    )
    // b in place, by a; a by a copy of 2 a; c in place, by b.
    try graph.addUpdate(of: b, to: sgd(b, a, rate, in: &graph, name: "b.update"))
    try graph.addUpdate(of: a, to: graph.apply(Affine(factor: 2), a, name: "a.update"))
    try graph.addUpdate(of: c, to: sgd(c, b, rate, in: &graph, name: "c.update"))
    let store = ParameterStore()
    let session = try Session(Program(graph), store: store, workers: 2)
    for _ in 0..<2 { _ = try session.run(["rate": Tensor([1 as Float], shape: .scalar)]) }
    // a: 1, 2, 4; b: 10, 10 - 1, 9 - 2; c: 100, 100 - 10, 90 - 9.
    #expect(try store["a"]?.elements(as: Float.self) == [4, 4, 4])
    #expect(try store["b"]?.elements(as: Float.self) == [7, 7, 7])
    #expect(try store["c"]?.elements(as: Float.self) == [81, 81, 81])
  }

  /// A node that reads an update's result gets the new value, though the variable is written last.
  @Test func updatedValuesCanBeRead() throws {
    var graph = Graph()
    let rate = try graph.addInput("rate", TensorType(.scalar))
    let x = try graph.addInput("x", type)
    let w = try variable("w", 5, in: &graph)
    let updated = try sgd(w, x, rate, in: &graph, name: "w.update")
    try graph.addUpdate(of: w, to: updated)
    try graph.addOutput("double", graph.apply(Affine(factor: 2), updated, name: "double"))
    try graph.requireFinite(updated)
    let store = ParameterStore()
    let session = try Session(Program(graph), store: store, workers: 2)
    let one = try Tensor([1 as Float], shape: .scalar)
    let outputs = try session.run(["rate": one, "x": Tensor([1, 2, 3] as [Float], shape: [3])])
    #expect(try outputs["double"]?.elements(as: Float.self) == [8, 6, 4])
    #expect(try store["w"]?.elements(as: Float.self) == [4, 3, 2])
    // And a check of it is made before it is written.
    let error = #expect(throws: TesseraError.self) {
      try session.run(["rate": one, "x": Tensor([1, .infinity, 3] as [Float], shape: [3])])
    }
    #expect(error?.code == .notFinite)
    #expect(try store["w"]?.elements(as: Float.self) == [4, 3, 2])
  }

  /// An initializer that doesn't fit leaves the store without any of the graph's variables.
  @Test func aGraphIsAddedAsAWhole() throws {
    var graph = Graph()
    _ = try variable("good", 1, in: &graph)
    _ = try graph.addVariable(Variable(name: "bad", type: type, initializer: .elements([1, 2])))
    let store = ParameterStore()
    let error = #expect(throws: TesseraError.self) { try store.add(graph) }
    #expect(error?.code == .shapeMismatch && error?.location == "bad")
    #expect(store.names == [])
  }
}
