package import Tessera

/// A step of an optimizer posed to the engine, on values in place of variables: it has no gradient.
package struct UpdateProblem: Sendable, CustomStringConvertible {
  package let description: String
  private let count: Int
  /// Velocity, or both moments.
  private let states: Int
  /// Steps before this one, of optimizers that count them.
  private let step: Int64?
  private let operation: any UpdateOperation

  /// Counts around vectors and blocks; with and without what is optional; first and late steps.
  package static let all: [UpdateProblem] = [1, 7, 8, 9, 16, 17, 63, 65, 257, 40_000].flatMap { count in
    [(0.0, 0.0, false), (0, 0.01, false), (0.9, 0.01, false), (0.9, 0, true)].map { momentum, decay, nesterov in
      UpdateProblem(
        description: "SGD of \(count), momentum \(momentum), decay \(decay)\(nesterov ? ", Nesterov" : "")",
        count: count, states: momentum == 0 ? 0 : 1, step: nil,
        operation: SGDUpdate(momentum: momentum, weightDecay: decay, nesterov: nesterov))
    }
      + [(false, 0), (true, 0), (false, 999), (true, 999)].map { decoupled, step in
        UpdateProblem(
          description: "\(decoupled ? "AdamW" : "Adam") of \(count), step \(step)", count: count, states: 2, step: step,
          operation: AdamUpdate(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, decoupled: decoupled))
      }
  }

  /// Compares what single precision gives with the reference.
  /// - Parameter share: the part of the tolerance that errors may take.
  package func agreement(of options: Program.Options, workers: Int, share: Double = 1) throws -> Agreement {
    let expected = try results(.float64, Program.Options(), workers: 1)
    let found = try results(.float32, options, workers: workers)
    var agreement = Agreement()
    for index in expected.indices {
      let (found, expected) = (found[index], expected[index])
      let largest = expected.reduce(1) { max($0, abs($1)) }
      agreement.compare(
        "result \(index)", count: expected.count, found: { found[$0] }, expected: { expected[$0] },
        tolerance: { _ in share * Expectation.relativeTolerance * largest })
    }
    return agreement
  }

  private func results(_ element: ElementType, _ options: Program.Options, workers: Int) throws -> [[Double]] {
    var graph = Graph()
    var random = TestRandom(3)
    var inputs: [String: Tensor] = [:]
    func add(_ name: String, _ tensor: Tensor) throws -> Value {
      inputs[name] = tensor
      return try graph.addInput(name, tensor.type)
    }
    let type = TensorType([count], element)
    var operands: [Value] = []
    for name in ["parameter", "gradient"] {
      operands.append(try add(name, Tensor(rounding: random.normals(count), to: type)))
    }
    operands.append(try add("rate", Tensor([Float(0.01)], shape: .scalar)))
    for state in 0..<states {
      // A second moment is a mean of squares.
      let values = random.normals(count).map { state == 1 ? Double(Float($0 * $0)) : $0 }
      operands.append(try add("state\(state)", Tensor(rounding: values, to: type)))
    }
    if let step { operands.append(try add("step", Tensor([step], shape: .scalar))) }
    let results = try graph.add(operation, operands, name: "update")
    for (index, result) in results.enumerated() { try graph.addOutput("result\(index)", result) }
    let session = try Session(Program(graph, options: options), store: ParameterStore(), workers: workers)
    let outputs = try session.run(inputs)
    return try results.indices.map { try outputs["result\($0)"]?.doubles ?? [] }
  }
}
