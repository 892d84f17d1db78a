import Foundation
import Tessera
import TesseraKernels

/// Sweeps are cut short where the environment asks for it: under sanitizers everything takes ten times as long.
let isShort = ProcessInfo.processInfo.environment["TESSERA_TESTS"] == "short"

/// A generator whose sequence never changes: SplitMix64 (Steele, Lea and Flood 2014).
struct TestRandom: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func int(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.count))
  }

  /// Unit normal, rounded to Float so that float32 and float64 programs see the same number.
  mutating func normal() -> Double {
    let u = (Double(next() >> 11) + 1) / 9_007_199_254_740_994
    let v = Double(next() >> 11) / 9_007_199_254_740_992
    return Double(Float((-2 * log(u)).squareRoot() * cos(2 * .pi * v)))
  }

  mutating func normals(_ count: Int) -> [Double] { (0..<count).map { _ in normal() } }
}

/// A function of tensors with a differentiable result, posed to the engine: built as a graph with all its gradients, in
/// any element type, on any instruction set.
struct Problem: Sendable, CustomStringConvertible {
  var description: String
  /// Shapes of the floating-point operands.
  var shapes: [Shape]
  /// Labels, counters: operands that have no gradient.
  var fixed: [Tensor] = []
  /// Terms in the longest sum behind an element of the result or of a gradient.
  var terms: Int
  /// Whether the result is linear in each operand, so that sums of absolute values bound the rounding error.
  var isMultilinear: Bool
  var build: @Sendable (inout Graph, _ operands: [Value], _ fixed: [Value]) throws -> Value

  /// Values of "y" and of the gradient "d0", "d1", ... with respect to each operand of sum(y g).
  typealias Results = [String: [Double]]

  func operands(seed: UInt64) -> [[Double]] {
    var random = TestRandom(seed)
    return shapes.map { random.normals($0.count) }
  }

  func program(_ element: ElementType, _ options: Program.Options = .init(), gradients: Bool = true)
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
  func run(_ program: Program, _ operands: [[Double]], g: [Double], workers: Int = 1) throws -> Results {
    let session = try Session(program, store: ParameterStore(), workers: workers)
    return try run(session, operands, g: g)
  }

  func run(_ session: Session, _ operands: [[Double]], g: [Double]) throws -> Results {
    var inputs: [String: Tensor] = [:]
    for input in session.program.inputs {
      if input.name == "g" {
        inputs["g"] = try tensor(g, input.type)
      } else if input.name.hasPrefix("x"), let index = Int(input.name.dropFirst()) {
        inputs[input.name] = try tensor(operands[index], input.type)
      } else if let index = Int(input.name.dropFirst(5)) {
        inputs[input.name] = fixed[index]
      }
    }
    return try session.run(inputs).mapValues { try doubles($0) }
  }

  func resultCount() throws -> Int {
    try program(.float64, gradients: false).outputs[0].type.shape.count
  }
}

func tensor(_ values: [Double], _ type: TensorType) throws -> Tensor {
  switch type.element {
  case .float64: try Tensor(values, shape: type.shape)
  default: try Tensor(values.map(Float.init), shape: type.shape)
  }
}

func doubles(_ tensor: Tensor) throws -> [Double] {
  switch tensor.type.element {
  case .float64: try tensor.elements(as: Double.self)
  case .int32: try tensor.elements(as: Int32.self).map(Double.init)
  default: try tensor.elements(as: Float.self).map(Double.init)
  }
}

/// The error bound of a sum of n products in any order: n u / (1 - n u), u = 2^-24 (Higham 2002, lemma 3.1).
func gamma(_ n: Int) -> Double {
  let nu = Double(n) * 0x1p-24
  return nu / (1 - nu)
}
