import TesseraGraph
import Testing

/// Expects an error with this code and location that says this of what was expected and found.
func expectError(
  _ code: TesseraError.Code, at location: String, expected: String = "", found: String = "",
  sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
  let error = #expect(throws: TesseraError.self, sourceLocation: sourceLocation) { try body() }
  guard let error else { return }
  #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
  #expect(error.location == location, "\(error)", sourceLocation: sourceLocation)
  #expect(expected.isEmpty || error.expected.contains(expected), "\(error)", sourceLocation: sourceLocation)
  #expect(found.isEmpty || error.found.contains(found), "\(error)", sourceLocation: sourceLocation)
}

extension Graph {
  /// The nodes whose names end so.
  func nodes(endingIn suffix: String) -> [Node] { nodes.filter { $0.name.hasSuffix(suffix) } }

  /// The node that computes a value; nil for inputs, variables and constants.
  func producer(of value: Value) -> Node? {
    guard case .node(let index, _) = source(of: value) else { return nil }
    return nodes[index]
  }

  /// What the variable of this name becomes; nil if nothing updates it.
  func update(ofVariableNamed name: String) -> Value? {
    updates.first { variables[$0.variable].variable.name == name }?.value
  }

  func value(ofVariableNamed name: String) -> Value? {
    variableIndex(named: name).map { variables[$0].value }
  }
}
