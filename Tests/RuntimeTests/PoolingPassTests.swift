import Tessera
import TesseraVerification
import Testing

/// Gradients of activations that are moved behind the pooling that read them.
@Suite struct PoolingPassTests {
  /// The gradient of f(x), of which the maxima are pooled, with respect to x.
  private func graph(_ function: ActivationFunction, _ window: ResolvedWindow2D, isWatched: Bool) throws -> Graph {
    var graph = Graph()
    let type = TensorType([2, 7, 6, 5])
    let x = try graph.addInput("x", type)
    let y = try graph.apply(Activate(function: function), x, name: "activation")
    let pooled = try graph.add(MaxPool2DOperation(window: window), [y], name: "pool")[0]
    let g = try graph.addInput("g", graph.type(of: pooled))
    let loss = try graph.apply(SumAll(), graph.apply(Multiply(), pooled, g, name: "product"), name: "loss")
    let gradient = try #require(try graph.differentiate(loss, withRespectTo: [x])[0])
    try graph.addOutput("dx", gradient)
    if isWatched {
      // What somebody else reads stays where it is.
      let between = try #require(graph.nodes.first { $0.operation is MaxPool2DBackward }).outputs[0]
      try graph.addOutput("between", between)
    }
    return graph
  }

  private static let windows = [
    ResolvedWindow2D(kernel: 2, stride: 2, top: 0, left: 0, bottom: 0, right: 0),
    ResolvedWindow2D(kernel: 3, stride: 1, top: 1, left: 1, bottom: 1, right: 1),
    ResolvedWindow2D(kernel: 3, stride: 2, top: 1, left: 1, bottom: 1, right: 1),
  ]

  @Test(arguments: windows.indices, [ActivationFunction.relu, .relu6, .clip(lower: -0.5, upper: 0.5)])
  func bitsStay(_ window: Int, _ function: ActivationFunction) throws {
    var random = TestRandom(UInt64(window))
    var x = random.normals(2 * 7 * 6 * 5)
    (x[3], x[50], x[51], x[120]) = (.nan, 0, -0.0, .infinity)
    let moved = try graph(function, Self.windows[window], isWatched: false)
    let kept = try graph(function, Self.windows[window], isWatched: true)
    let type = try #require(moved.inputs.first { $0.name == "g" }.map { moved.type(of: $0.value) })
    let inputs = [
      "x": try Tensor(rounding: x, to: TensorType([2, 7, 6, 5])),
      "g": try Tensor(rounding: random.normals(type.shape.count), to: type),
    ]
    for options in [Program.Options(), .init(usesReferenceKernels: true), .init(fusesNodes: false)] {
      let gradients = try [moved, kept].map { graph in
        let session = try Session(Program(graph, options: options), store: ParameterStore(), workers: 2)
        return try session.run(inputs)["dx"]?.elements(as: Float.self).map(\.bitPattern)
      }
      #expect(gradients[0] != nil && gradients[0] == gradients[1])
    }
  }

  /// Only where the derivative is 0 or 1, and nobody else reads what stands between.
  @Test func whatIsMoved() throws {
    func isMoved(_ function: ActivationFunction, isWatched: Bool) throws -> Bool {
      let graph = try Simplification.run(graph(function, Self.windows[0], isWatched: isWatched))
      return graph.nodes.last?.operation is MaxPool2DBackward
        && graph.nodes.filter { $0.operation is MaxPool2DBackward }.count == 1
    }
    #expect(try isMoved(.relu, isWatched: false) && isMoved(.relu6, isWatched: false))
    for function in [ActivationFunction.tanh, .sigmoid, .leakyRelu(slope: 0.1)] {
      #expect(try !isMoved(function, isWatched: false))
    }
    #expect(try !isMoved(.relu, isWatched: true))
  }
}
