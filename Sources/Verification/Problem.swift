package import Tessera

/// A function of tensors with a differentiable result, posed to the engine: built as a graph with all its gradients, in
/// any element type, on any instruction set.
package struct Problem: Sendable, CustomStringConvertible {
  package var description: String
  /// Shapes of the floating-point operands.
  package var shapes: [Shape]
  /// Labels, counters: operands that have no gradient.
  package var fixed: [Tensor] = []
  /// Terms in the longest sum behind an element of the result or of a gradient.
  package var terms: Int
  /// Whether the result is linear in each operand, so that sums of absolute values bound the rounding error.
  package var isMultilinear: Bool
  package var build: @Sendable (inout Graph, _ operands: [Value], _ fixed: [Value]) throws -> Value

  /// Values of "y" and of the gradient "d0", "d1", ... with respect to each operand of sum(y g).
  package typealias Results = [String: [Double]]

  package func operands(seed: UInt64) -> [[Double]] {
    var random = TestRandom(seed)
    return shapes.map { random.normals($0.count) }
  }

  package func program(_ element: ElementType, _ options: Program.Options = .init(), gradients: Bool = true)
    throws -> Program
  {
    var graph = Graph()
    var operands: [Value] = []
    for (index, shape) in shapes.enumerated() {
      operands.append(try graph.addInput("x\(index)", TensorType(shape, element)))
    }
    var fixedValues: [Value] = []
    for (index, tensor) in fixed.enumerated() {
      fixedValues.append(try graph.addInput("fixed\(index)", tensor.type))
    }
    let y = try build(&graph, operands, fixedValues)
    try graph.addOutput("y", y)
    let g = try graph.addInput("g", graph.type(of: y))
    guard gradients else { return try Program(graph, options: options) }
    let product = try graph.apply(Multiply(), y, g, name: "product")
    let loss = try graph.apply(SumAll(), product, name: "loss")
    for (index, gradient) in try graph.differentiate(loss, withRespectTo: operands).enumerated() {
      if let gradient { try graph.addOutput("d\(index)", gradient) }
    }
    return try Program(graph, options: options)
  }

  /// Runs a program of this problem on given operands; `g` is the gradient of y.
  package func run(_ program: Program, _ operands: [[Double]], g: [Double], workers: Int = 1) throws -> Results {
    let session = try Session(program, store: ParameterStore(), workers: workers)
    return try run(session, operands, g: g)
  }

  package func run(_ session: Session, _ operands: [[Double]], g: [Double]) throws -> Results {
    var inputs: [String: Tensor] = [:]
    for input in session.program.inputs {
      if input.name == "g" {
        inputs["g"] = try Tensor(rounding: g, to: input.type)
      } else if input.name.hasPrefix("x"), let index = Int(input.name.dropFirst()) {
        inputs[input.name] = try Tensor(rounding: operands[index], to: input.type)
      } else if let index = Int(input.name.dropFirst(5)) {
        inputs[input.name] = fixed[index]
      }
    }
    return try session.run(inputs).mapValues { try $0.doubles }
  }

  package func resultCount() throws -> Int {
    try program(.float64, gradients: false).outputs[0].type.shape.count
  }
}

extension Tensor {
  /// Numbers rounded to a type's elements, in row-major order.
  package init(rounding values: [Double], to type: TensorType) throws {
    switch type.element {
    case .float64: self = try Tensor(values, shape: type.shape)
    default: self = try Tensor(values.map(Float.init), shape: type.shape)
    }
  }

  /// Its elements, of whatever type.
  package var doubles: [Double] {
    get throws {
      switch type.element {
      case .float64: try elements(as: Double.self)
      case .int32: try elements(as: Int32.self).map(Double.init)
      default: try elements(as: Float.self).map(Double.init)
      }
    }
  }
}
