import TesseraGraph
import Testing

@Suite struct CommonSubexpressionTests {
  private let type = TensorType([2, 3])

  @Test func whatIsComputedTwiceIsComputedOnce() throws {
    var graph = Graph()
    let (x, y) = (try graph.addInput("x", type), try graph.addInput("y", type))
    let (a, b) = (try graph.apply(Add(), x, y, name: "a"), try graph.apply(Add(), x, y, name: "b"))
    // Another order of operands, and another attribute, is something else.
    let c = try graph.apply(Add(), y, x, name: "c")
    let (d, e) = (
      try graph.apply(Affine(factor: 2), a, name: "d"), try graph.apply(Affine(factor: 2), b, name: "e")
    )
    let f = try graph.apply(Affine(factor: 3), b, name: "f")
    for (index, value) in [a, b, c, d, e, f].enumerated() { try graph.addOutput("y\(index)", value) }
    let result = try EliminateCommonSubexpressions().run(graph)
    #expect(result.nodes.map(\.name) == ["a", "c", "d", "f"])
    #expect(result.outputs.map { result.name(of: $0.value) } == ["a", "a", "c", "d", "d", "f"])
  }

  /// Each layer of a densely connected block joins all before it.
  @Test func concatenationsGoOnFromEarlierOnes() throws {
    var graph = Graph()
    var parts: [Value] = []
    for index in 0..<5 { parts.append(try graph.addInput("x\(index)", type)) }
    for count in [2, 3, 5] {
      let joined = try graph.add(ConcatenateOperation(), Array(parts.prefix(count)), name: "first \(count)")[0]
      try graph.addOutput("y\(count)", joined)
    }
    let other = try graph.add(ConcatenateOperation(), [parts[1], parts[0], parts[2]], name: "other")[0]
    try graph.addOutput("other", other)
    let result = try EliminateCommonSubexpressions().run(graph)
    #expect(result.nodes.map(\.inputs.count) == [2, 2, 3, 3])
    #expect(result.outputs.map { result.type(of: $0.value) } == graph.outputs.map { graph.type(of: $0.value) })
  }

  /// A training graph may compute again what it doesn't keep.
  @Test func trainingStaysAsItIs() throws {
    var graph = Graph()
    let x = try graph.addVariable(Variable(name: "x", type: type))
    let (a, b) = (try graph.apply(Affine(factor: 2), x, name: "a"), try graph.apply(Affine(factor: 2), x, name: "b"))
    try graph.addUpdate(of: x, to: try graph.apply(Add(), a, b, name: "sum"))
    #expect(try EliminateCommonSubexpressions().run(graph).nodes.count == 3)
  }
}
