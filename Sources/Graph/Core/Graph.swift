/// A value of a graph: the handle of one tensor that an input, a variable, a constant or a node produces. Values are
/// assigned once.
public struct Value: Hashable, Sendable {
  package let index: Int

  package init(index: Int) { self.index = index }
}

/// One application of an operation.
public struct Node: Sendable {
  /// Unique in its graph: the layer's path and the operation's name.
  public let name: String
  /// What is applied.
  public let operation: any Operation
  /// Operands, in the operation's order.
  public let inputs: [Value]
  /// Results, in the operation's order.
  public let outputs: [Value]
}

/// A static computation graph in single-assignment form: nodes stand in an order in which they can be computed, every
/// value has a fixed type, and what is wrong is refused as it is added.
///
/// A graph is a value: passes take one and return another.
public struct Graph: Sendable {
  /// Where a value comes from.
  public enum Source: Hashable, Sendable {
    case input(Int)
    case variable(Int)
    case constant(Int)
    case node(Int, output: Int)
  }

  /// A tensor that every run is given.
  public struct Input: Hashable, Sendable {
    /// Under which a run is given it; unique among inputs.
    public let name: String
    /// What nodes read.
    public let value: Value
  }

  /// A variable, and the value that it has at the beginning of a run.
  public struct VariableRead: Hashable, Sendable {
    /// What the store holds.
    public let variable: Variable
    /// What nodes read: its value before the step.
    public let value: Value
  }

  /// A tensor that is part of the graph.
  public struct Constant: Hashable, Sendable {
    /// Row-major.
    public let elements: [Double]
    /// What nodes read.
    public let value: Value
  }

  /// A tensor that every run gives.
  public struct Output: Hashable, Sendable {
    /// Under which a run gives it; unique among outputs.
    public let name: String
    /// What is given.
    public let value: Value
  }

  /// What a variable becomes when a step succeeds. Updates are written together, at the end, or not at all.
  public struct Update: Hashable, Sendable {
    /// Index into ``Graph/variables``.
    public let variable: Int
    /// What it becomes.
    public let value: Value
  }

  /// In an order in which they can be computed.
  public private(set) var nodes: [Node] = []
  /// In the order in which they were added, as all lists here.
  public private(set) var inputs: [Input] = []
  /// One for each name, however often it was added.
  public private(set) var variables: [VariableRead] = []
  /// Tensors that are part of the graph.
  public private(set) var constants: [Constant] = []
  /// What a run gives; names are unique.
  public private(set) var outputs: [Output] = []
  /// At most one for each variable.
  public private(set) var updates: [Update] = []
  /// Values that must be finite, or the step fails before anything is written.
  public private(set) var finiteChecks: [Value] = []

  /// Nodes whose results the backward pass computes again (``addCheckpoint(_:)``). Passes after differentiation don't need
  /// them.
  private(set) var checkpoints: [Range<Int>] = []

  private var types: [TensorType] = []
  private var sources: [Source] = []
  private var nodeNames: Set<String> = []

  /// An empty graph.
  public init() {}

  // MARK: What is known

  /// The type of a value of this graph.
  public func type(of value: Value) -> TensorType { types[value.index] }

  /// The shape of a value of this graph.
  public func shape(of value: Value) -> Shape { types[value.index].shape }

  /// Where a value of this graph comes from.
  public func source(of value: Value) -> Source { sources[value.index] }

  package var valueCount: Int { types.count }

  /// Index into ``variables``; nil if there is none of that name.
  public func variableIndex(named name: String) -> Int? {
    variables.firstIndex { $0.variable.name == name }
  }

  /// The name under which errors speak of a value.
  public func name(of value: Value) -> String {
    guard types.indices.contains(value.index) else { return "value \(value.index)" }
    switch sources[value.index] {
    case .input(let index): return inputs[index].name
    case .variable(let index): return variables[index].variable.name
    case .constant(let index): return "constant \(index)"
    case .node(let index, let output):
      return output == 0 ? nodes[index].name : "\(nodes[index].name):\(output)"
    }
  }

  // MARK: Building

  /// A tensor that each run is given.
  public mutating func addInput(_ name: String, _ type: TensorType) throws(TesseraError) -> Value {
    try type.shape.validate(at: "input \(name)")
    guard !inputs.contains(where: { $0.name == name }) else {
      throw TesseraError(.duplicateName, at: "input \(name)", expected: "a new name", found: name)
    }
    let value = newValue(type, .input(inputs.count))
    inputs.append(Input(name: name, value: value))
    return value
  }

  /// The value that a variable has before the step. Asking again for the same variable gives the same value.
  /// - Throws: ``TesseraError/Code/duplicateName`` if another variable has its name.
  public mutating func addVariable(_ variable: Variable) throws(TesseraError) -> Value {
    try variable.type.shape.validate(at: "variable \(variable.name)")
    if let index = variableIndex(named: variable.name) {
      guard variables[index].variable == variable else {
        throw TesseraError(
          .duplicateName, at: "variable \(variable.name)",
          expected: "the same type, role and initializer at every use", found: "\(variable.type)")
      }
      return variables[index].value
    }
    let value = newValue(variable.type, .variable(variables.count))
    variables.append(VariableRead(variable: variable, value: value))
    return value
  }

  /// A tensor known now, its elements row-major.
  public mutating func addConstant(_ elements: [Double], _ type: TensorType) throws(TesseraError)
    -> Value
  {
    try type.shape.validate(at: "constant \(constants.count)")
    guard elements.count == type.shape.count else {
      throw TesseraError(
        .shapeMismatch, at: "constant \(constants.count)", expected: "\(type.shape.count) elements",
        found: "\(elements.count)")
    }
    let value = newValue(type, .constant(constants.count))
    constants.append(Constant(elements: elements, value: value))
    return value
  }

  /// Applies an operation; its output types are checked now. An operation that says what it is made of
  /// (``Operation/decompose(_:in:at:)``) is replaced by that at once, so gradients and kernels are those of its parts.
  /// - Parameter name: made unique by a number where it is taken.
  public mutating func add(
    _ operation: any Operation, _ inputs: [Value], name: String
  ) throws(TesseraError) -> [Value] {
    for value in inputs where !types.indices.contains(value.index) {
      throw TesseraError(
        .notFound, at: name, expected: "values of this graph", found: "value \(value.index)")
    }
    let outputTypes = try operation.outputTypes(inputs.map { types[$0.index] }, at: name)
    for type in outputTypes { try type.shape.validate(at: name) }
    if let outputs = try operation.decompose(inputs, in: &self, at: name) { return outputs }
    let node = nodes.count
    var outputs: [Value] = []
    for (output, type) in outputTypes.enumerated() {
      outputs.append(newValue(type, .node(node, output: output)))
    }
    nodes.append(
      Node(name: uniqueName(name), operation: operation, inputs: inputs, outputs: outputs))
    return outputs
  }

  /// Applies an operation of one output.
  public mutating func apply(
    _ operation: any Operation, _ inputs: Value..., name: String
  ) throws(TesseraError) -> Value {
    let outputs = try add(operation, inputs, name: name)
    guard let output = outputs.first else {
      throw TesseraError(
        .shapeMismatch, at: name, expected: "an operation with an output", found: "none")
    }
    return output
  }

  /// Makes a value readable after a run.
  public mutating func addOutput(_ name: String, _ value: Value) throws(TesseraError) {
    try check(value, at: "output \(name)")
    guard !outputs.contains(where: { $0.name == name }) else {
      throw TesseraError(.duplicateName, at: "output \(name)", expected: "a new name", found: name)
    }
    outputs.append(Output(name: name, value: value))
  }

  /// Says what a variable becomes at the end of a step. A later update of the same variable replaces the earlier one,
  /// which it is computed from.
  public mutating func addUpdate(of variable: Value, to value: Value) throws(TesseraError) {
    try check(variable, at: "update")
    try check(value, at: "update")
    guard case .variable(let index) = sources[variable.index] else {
      throw TesseraError(
        .notFound, at: "update", expected: "a variable", found: name(of: variable))
    }
    guard types[variable.index] == types[value.index] else {
      throw TesseraError(
        .shapeMismatch, at: "update of \(variables[index].variable.name)",
        expected: "\(types[variable.index])", found: "\(types[value.index])")
    }
    updates.removeAll { $0.variable == index }
    updates.append(Update(variable: index, value: value))
  }

  /// What a variable is at this point of the graph: its latest update, or the value before the step.
  public func latestValue(ofVariable value: Value) -> Value {
    guard case .variable(let index) = source(of: value) else { return value }
    return updates.first { $0.variable == index }?.value ?? value
  }

  /// Demands that a value be finite in every step.
  public mutating func requireFinite(_ value: Value) throws(TesseraError) {
    try check(value, at: "finite check")
    finiteChecks.append(value)
  }

  /// Has ``differentiate(_:withRespectTo:)`` compute again what it needs of the results of these nodes, so that they
  /// needn't be kept: all but those that other nodes read. A checkpoint within is part of it.
  /// - Throws: ``TesseraError/Code/invalidAttribute`` for nodes that don't exist, or some of which are in another one.
  public mutating func addCheckpoint(_ range: Range<Int>) throws(TesseraError) {
    checkpoints.removeAll { range.lowerBound <= $0.lowerBound && $0.upperBound <= range.upperBound }
    guard range.lowerBound >= 0, range.upperBound <= nodes.count, !checkpoints.contains(where: range.overlaps) else {
      throw TesseraError(
        .invalidAttribute, at: "checkpoint", expected: "nodes in 0..<\(nodes.count), in no other checkpoint",
        found: "\(range)")
    }
    if !range.isEmpty { checkpoints.append(range) }
  }

  // MARK: Pieces

  func check(_ value: Value, at location: String) throws(TesseraError) {
    guard types.indices.contains(value.index) else {
      throw TesseraError(
        .notFound, at: location, expected: "a value of this graph", found: "value \(value.index)")
    }
  }

  private mutating func newValue(_ type: TensorType, _ source: Source) -> Value {
    types.append(type)
    sources.append(source)
    return Value(index: types.count - 1)
  }

  // MARK: Invariants

  /// Stops the program if the graph isn't what it promises: a bug of a pass. Does nothing in release builds.
  ///
  /// True iff every node reads values that stand before it, every value's source names that value, and node names are
  /// unique.
  public func checkInvariants() {
    #if DEBUG
      precondition(types.count == sources.count, "every value has a type and a source")
      precondition(Set(nodes.map(\.name)).count == nodes.count, "node names are unique")
      for (index, node) in nodes.enumerated() {
        for (output, value) in node.outputs.enumerated() {
          precondition(
            sources[value.index] == .node(index, output: output),
            "\(node.name) is the source of its outputs")
        }
        for value in node.inputs {
          if case .node(let producer, _) = sources[value.index] {
            precondition(producer < index, "\(node.name) reads what stands before it")
          }
        }
      }
    #endif
  }

  private mutating func uniqueName(_ name: String) -> String {
    var candidate = name
    var number = 1
    while !nodeNames.insert(candidate).inserted {
      number += 1
      candidate = "\(name)#\(number)"
    }
    return candidate
  }
}
