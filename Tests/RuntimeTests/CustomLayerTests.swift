import Tessera
import TesseraKernels
import TesseraVerification
import Testing

// What Docs/CustomLayers.md shows: layers and operations that a host adds without touching the package. Only public API
// here.

/// Composed from existing operations: y = x * sigmoid(x). Its gradient follows from theirs.
struct Swish: Layer {
  func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    let gate = try builder.graph.apply(Activate(function: .sigmoid), x, name: "swish.gate")
    return try builder.graph.apply(Multiply(), x, gate, name: "swish")
  }
}

/// With kernels of its own: y[..., c] = x[..., c] * scale[c].
struct ChannelScaleOperation: KernelOperation {
  var name: String { "channel_scale" }
  /// Thrown by the kernel where an element of x is this.
  var forbidden: Float = .infinity

  struct Forbidden: Error {}

  func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType] {
    guard inputs.count == 2, inputs[1].shape == Shape([inputs[0].shape.dimensions.last ?? 0]) else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "x and one scale a channel",
        found: inputs.map(\.description).joined(separator: ", "))
    }
    return [inputs[0]]
  }

  func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?] {
    let dy = try context.firstOutputGradient()
    let (x, scale) = (context.node.inputs[0], context.node.inputs[1])
    let dx =
      context.isNeeded(0)
      ? try graph.apply(ChannelScaleOperation(), dy, scale, name: context.name("dx")) : nil
    var dscale: Value?
    if context.isNeeded(1) {
      let product = try graph.apply(Multiply(), dy, x, name: context.name("product"))
      dscale = try graph.apply(ChannelSum(), product, name: context.name("dscale"))
    }
    return [dx, dscale]
  }

  func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let channels = context.inputs[1].shape.count
    let rows = channels == 0 ? 0 : context.inputs[0].shape.count / channels
    let forbidden = forbidden
    // One task a row: which worker runs it can't change the result.
    return NodeKernel(name: "channel_scale", taskCount: rows) { tasks, arguments in
      let x = arguments.input(0, as: Float.self)
      let scale = arguments.input(1, as: Float.self)
      let y = arguments.output(0, as: Float.self)
      for row in tasks {
        for c in 0..<channels {
          guard x[row * channels + c] != forbidden else { throw Forbidden() }
          y[row * channels + c] = x[row * channels + c] * scale[c]
        }
      }
    }
  }
}

struct ChannelScale: Layer {
  func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    let channels = builder.graph.shape(of: x).dimensions.last ?? 0
    let scale = try builder.parameter(
      "scale", shape: [channels], initializer: .constant(1))
    return try builder.graph.apply(ChannelScaleOperation(), x, scale, name: "channel_scale")
  }
}

@Suite struct CustomLayerTests {
  private let model = Sequential {
    Dense(5, inputShape: [3], name: "first")
    Swish()
    ChannelScale()
    Dense(2, activation: .softmax, name: "last")
  }

  @Test func customLayersTrain() throws {
    let store = ParameterStore(seed: 1)
    let trainer = try Trainer(
      model: model, batch: 8, loss: .softmaxCrossEntropy(), optimizer: .sgd(momentum: 0.9),
      store: store)
    var random = TestRandom(1)
    let x = random.normals(24).map(Float.init)
    let labels = (0..<8).map { Int32(x[$0 * 3] > 0 ? 1 : 0) }
    let input = try Tensor(x, shape: [8, 3])
    let target = try Tensor(labels, shape: [8])
    let first = try trainer.step(input, target, learningRate: 0.1).loss
    var last = first
    for _ in 0..<60 { last = try trainer.step(input, target, learningRate: 0.1).loss }
    #expect(last < first / 4)
    let name = try #require(store.names.first { $0.hasSuffix("scale") })
    #expect(try store[name]?.elements(as: Float.self) != [1, 1, 1, 1, 1])
  }

  /// A kernel that throws ends the run with an error that names its node; the session can be run again.
  @Test func aThrowingKernelIsATypedError() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([4, 2]))
    let scale = try graph.addConstant([2, 3], TensorType([2]))
    try graph.addOutput(
      "y", try graph.apply(ChannelScaleOperation(forbidden: 13), x, scale, name: "mine"))
    let session = try Session(Program(graph), store: ParameterStore(), workers: 2)
    let bad = try Tensor([1, 2, 3, 13, 5, 6, 7, 8] as [Float], shape: [4, 2])
    let error = #expect(throws: TesseraError.self) { try session.run(["x": bad]) }
    #expect(error?.code == .kernelFailed)
    #expect(error?.location == "mine")
    #expect(error?.underlying is ChannelScaleOperation.Forbidden)
    let good = try Tensor([1, 2, 3, 4, 5, 6, 7, 8] as [Float], shape: [4, 2])
    #expect(
      try session.run(["x": good])["y"]?.elements(as: Float.self) == [2, 6, 6, 12, 10, 18, 14, 24])
  }
}
