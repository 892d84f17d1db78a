import TesseraGraph
import Testing

/// An operation without a gradient, of as many outputs as wanted, each like its input.
struct Opaque: Operation {
  var outputCount = 1
  var name: String { "opaque" }

  func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    Array(repeating: inputs[0], count: outputCount)
  }
}

/// An operation whose gradient rule is wrong.
private struct WrongGradient: Operation {
  var gradientCount = 1
  var name: String { "wrong" }

  func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    [TensorType(.scalar)]
  }

  func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    Array(repeating: try context.firstOutputGradient(), count: gradientCount)
  }
}

@Suite struct GraphConstructionTests {
  private let vector = TensorType([3])

  @Test func valuesKnowTheirSourcesAndNames() throws {
    var graph = Graph()
    let x = try graph.addInput("x", vector)
    let w = try graph.addVariable(Variable(name: "w", type: vector))
    let c = try graph.addConstant([1, 2, 3], vector)
    let sum = try graph.apply(Add(), x, w, name: "sum")
    let both = try graph.add(Opaque(outputCount: 2), [c], name: "both")
    #expect(
      [x, w, c, sum].map { graph.source(of: $0) } == [.input(0), .variable(0), .constant(0), .node(0, output: 0)])
    #expect([x, w, c, sum, both[1]].map { graph.name(of: $0) } == ["x", "w", "constant 0", "sum", "both:1"])
    #expect(graph.type(of: sum) == vector)
    #expect(graph.shape(of: sum) == [3])
    graph.checkInvariants()
  }

  @Test func namesOfNodesAreMadeUnique() throws {
    var graph = Graph()
    let x = try graph.addInput("x", vector)
    for _ in 0..<3 { _ = try graph.apply(Affine(factor: 2), x, name: "double") }
    #expect(graph.nodes.map(\.name) == ["double", "double#2", "double#3"])
    graph.checkInvariants()
  }

  @Test func namesTwice() throws {
    var graph = Graph()
    let x = try graph.addInput("x", vector)
    try graph.addOutput("y", x)
    expectError(.duplicateName, at: "input x", expected: "a new name", found: "x") {
      _ = try graph.addInput("x", vector)
    }
    expectError(.duplicateName, at: "output y", expected: "a new name", found: "y") { try graph.addOutput("y", x) }
    // Inputs and outputs have names of their own.
    try graph.addOutput("x", x)
    #expect(graph.inputs.count == 1 && graph.outputs.count == 2)
  }

  @Test func oneVariableByOneName() throws {
    var graph = Graph()
    let variable = Variable(name: "w", type: vector, initializer: .glorot)
    let w = try graph.addVariable(variable)
    #expect(try graph.addVariable(variable) == w)
    #expect(graph.variables.count == 1)
    for other in [
      Variable(name: "w", type: TensorType([4]), initializer: .glorot),
      Variable(name: "w", type: TensorType([3], .float64), initializer: .glorot),
      Variable(name: "w", type: vector, initializer: .he), Variable(name: "w", type: vector, role: .statistic),
      Variable(name: "w", type: vector, initializer: .glorot, group: "other"),
    ] {
      expectError(.duplicateName, at: "variable w", expected: "the same type", found: "\(other.type)") {
        _ = try graph.addVariable(other)
      }
    }
    #expect(graph.variableIndex(named: "w") == 0)
    #expect(graph.variableIndex(named: "v") == nil)
  }

  @Test func typesAreCheckedAtOnce() throws {
    var graph = Graph()
    expectError(.invalidShape, at: "input x") { _ = try graph.addInput("x", TensorType([-1])) }
    expectError(.invalidShape, at: "variable w") {
      _ = try graph.addVariable(Variable(name: "w", type: TensorType([Int.max])))
    }
    expectError(.invalidShape, at: "constant 0") { _ = try graph.addConstant([], TensorType([-1])) }
    expectError(.shapeMismatch, at: "constant 0", expected: "3 elements", found: "2") {
      _ = try graph.addConstant([1, 2], vector)
    }
    let x = try graph.addInput("x", vector)
    let y = try graph.addInput("y", TensorType([2]))
    let z = try graph.addInput("z", TensorType([3], .float64))
    expectError(.shapeMismatch, at: "sum", expected: "the second operand [3]", found: "[2]") {
      _ = try graph.apply(Add(), x, y, name: "sum")
    }
    expectError(.elementTypeMismatch, at: "sum", expected: "float32", found: "float64") {
      _ = try graph.apply(Add(), x, z, name: "sum")
    }
    expectError(.shapeMismatch, at: "sum", expected: "2 operands", found: "1") {
      _ = try graph.apply(Add(), x, name: "sum")
    }
    expectError(.shapeMismatch, at: "none", expected: "an operation with an output", found: "none") {
      _ = try graph.apply(Opaque(outputCount: 0), x, name: "none")
    }
  }

  @Test func updates() throws {
    var graph = Graph()
    let x = try graph.addInput("x", vector)
    let w = try graph.addVariable(Variable(name: "w", type: vector))
    let scalar = try graph.addInput("scalar", TensorType(.scalar))
    expectError(.notFound, at: "update", expected: "a variable", found: "x") { try graph.addUpdate(of: x, to: w) }
    expectError(.shapeMismatch, at: "update of w", expected: "float32[3]", found: "float32[]") {
      try graph.addUpdate(of: w, to: scalar)
    }
    #expect(graph.latestValue(ofVariable: w) == w)
    try graph.addUpdate(of: w, to: x)
    #expect(graph.latestValue(ofVariable: w) == x)
    // A later update replaces the earlier one.
    let sum = try graph.apply(Add(), x, w, name: "sum")
    try graph.addUpdate(of: w, to: sum)
    #expect(graph.updates.map(\.variable) == [0])
    #expect(graph.updates.map(\.value) == [sum])
  }

  @Test func valuesOfAnotherGraph() throws {
    var other = Graph()
    var graph = Graph()
    let own = try graph.addInput("x", TensorType(.scalar))
    var foreign = own
    for i in 0...3 { foreign = try other.addInput("x\(i)", TensorType(.scalar)) }
    expectError(.notFound, at: "y", expected: "values of this graph", found: "value 3") {
      _ = try graph.apply(Affine(factor: 1), foreign, name: "y")
    }
    let expected = "a value of this graph"
    expectError(.notFound, at: "output y", expected: expected, found: "value 3") { try graph.addOutput("y", foreign) }
    expectError(.notFound, at: "update", expected: expected) { try graph.addUpdate(of: foreign, to: own) }
    expectError(.notFound, at: "update", expected: expected) { try graph.addUpdate(of: own, to: foreign) }
    expectError(.notFound, at: "finite check", expected: expected) { try graph.requireFinite(foreign) }
    expectError(.notFound, at: "gradient", expected: expected) {
      _ = try graph.differentiate(foreign, withRespectTo: [own])
    }
    expectError(.notFound, at: "gradient", expected: expected) {
      _ = try graph.differentiate(own, withRespectTo: [foreign])
    }
    expectError(.notFound, at: "gradient", expected: expected) {
      try graph.addTraining(loss: foreign, optimizer: .sgd())
    }
    #expect(graph.name(of: foreign) == "value 3")
    #expect(graph.nodes.isEmpty && graph.outputs.isEmpty && graph.updates.isEmpty)
  }
}

@Suite struct DifferentiationTests {
  @Test func lossesThatAreNoScalars() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([3]))
    let n = try graph.addInput("n", TensorType(.scalar, .int32))
    for (loss, found) in [(x, "float32[3]"), (n, "int32[]")] {
      expectError(.notDifferentiable, at: graph.name(of: loss), expected: "a floating-point scalar", found: found) {
        _ = try graph.differentiate(loss, withRespectTo: [x])
      }
    }
  }

  @Test func operationsWithoutAGradient() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([3]))
    let y = try graph.apply(Opaque(), x, name: "mine")
    let loss = try graph.apply(SumAll(), y, name: "loss")
    expectError(.notDifferentiable, at: "mine", expected: "an operation with a gradient", found: "opaque") {
      _ = try graph.differentiate(loss, withRespectTo: [x])
    }
    // It needn't have one where none is wanted.
    #expect(try graph.differentiate(loss, withRespectTo: [y]).count == 1)
  }

  /// Statistics of a normalization have no gradient.
  @Test func lossesOfTheWrongOutput() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([4, 2]))
    let scale = try graph.addInput("scale", TensorType([2]))
    let results = try graph.add(BatchNormalization(epsilon: 0), [x, scale, scale], name: "norm")
    let loss = try graph.apply(SumAll(), results[1], name: "loss")
    expectError(.notDifferentiable, at: "norm", expected: "the first output", found: "another") {
      _ = try graph.differentiate(loss, withRespectTo: [x])
    }
  }

  @Test func wrongGradientRules() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([3]))
    let few = try graph.apply(WrongGradient(gradientCount: 0), x, name: "few")
    expectError(.shapeMismatch, at: "few", expected: "1 gradients", found: "0") {
      _ = try graph.differentiate(few, withRespectTo: [x])
    }
    let shape = try graph.apply(WrongGradient(), x, name: "shape")
    expectError(.shapeMismatch, at: "shape.gradient", expected: "float32[3]", found: "float32[]") {
      _ = try graph.differentiate(shape, withRespectTo: [x])
    }
  }

  /// A value that two operands read gets the sum of both gradients; one the loss doesn't depend on gets none.
  @Test func sumsAndNothing() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([3]))
    let y = try graph.addInput("y", TensorType([3]))
    let square = try graph.apply(Multiply(), x, x, name: "square")
    let loss = try graph.apply(SumAll(), square, name: "loss")
    let before = graph.nodes.count
    let gradients = try graph.differentiate(loss, withRespectTo: [x, y, loss])
    let sum = try #require(gradients[0].flatMap(graph.producer(of:)))
    #expect(sum.operation is Add)
    #expect(sum.inputs.map { graph.name(of: $0) } == ["square.da", "square.db"])
    #expect(gradients[1] == nil)
    #expect(gradients[2].map { graph.type(of: $0) } == TensorType(.scalar))
    // Broadcast, two products, one sum.
    #expect(graph.nodes.count == before + 4)
    graph.checkInvariants()
    let unrelated = try graph.differentiate(loss, withRespectTo: [y])
    #expect(unrelated == [nil])
    #expect(graph.nodes.count == before + 4)
  }
}
