import Tessera
import TesseraKernelContract
import TesseraVerification
import Testing

/// Values that are written to their place in a concatenation.
@Suite struct ConcatenationTests {
  /// x: [2, 6, 6, 8]. Convolutions to 8 channels with weights of their own.
  private struct Builder {
    var graph = Graph()
    let x: Value
    private var random = TestRandom(1)

    init() throws { x = try graph.addInput("x", TensorType([2, 6, 6, 8])) }

    mutating func convolution(_ x: Value, groups: Int = 1) throws -> Value {
      let inputs = graph.shape(of: x)[3] / groups
      let type = TensorType([3, 3, inputs, 8])
      let w = try graph.addConstant(random.normals(type.shape.count).map { $0 * 0.2 }, type)
      let window = ResolvedWindow2D(kernel: 3, stride: 1, top: 1, left: 1, bottom: 1, right: 1)
      return try graph.apply(Convolution2D(window: window, groups: groups), x, w, name: "convolution")
    }

    mutating func concatenate(_ parts: Value...) throws -> Value {
      try graph.add(ConcatenateOperation(), parts, name: "concatenation")[0]
    }
  }

  /// Expects the kernels of all concatenations, and the results of plain loops, which copy.
  private func expect(
    _ builder: Builder, _ outputs: [Value], _ kernels: [String], _ options: Program.Options = .init()
  ) throws {
    var graph = builder.graph
    for (index, output) in outputs.enumerated() { try graph.addOutput("y\(index)", output) }
    var random = TestRandom(2)
    let x = try Tensor(rounding: random.normals(2 * 6 * 6 * 8), to: TensorType([2, 6, 6, 8]))
    let expected = try results(graph, x, .init(usesReferenceKernels: true))
    for (name, values) in try results(graph, x, .init()) {
      let reference = try #require(expected[name])
      let largest = reference.reduce(0) { max($0, abs($1)) }
      for (value, reference) in zip(values, reference) { #expect(abs(value - reference) <= 1e-4 * largest) }
    }
    let summary = try Program(graph, options: options).kernelSummary
    #expect(summary.filter { $0.operation == "concatenate" }.map(\.kernel) == kernels)
  }

  private func results(_ graph: Graph, _ x: Tensor, _ options: Program.Options) throws -> [String: [Double]] {
    let session = try Session(Program(graph, options: options), store: ParameterStore(), workers: 2)
    return try session.run(["x": x]).mapValues { try $0.doubles }
  }

  @Test func branchesOfOneInput() throws {
    var builder = try Builder()
    let (a, b) = (try builder.convolution(builder.x), try builder.convolution(builder.x))
    let activated = try builder.graph.apply(Activate(function: .relu), b, name: "relu")
    let joined = try builder.concatenate(a, activated)
    let y = try builder.convolution(joined)
    try expect(builder, [y], ["concatenate.in_place"])
  }

  /// Into memory of the caller's.
  @Test func anOutput() throws {
    var builder = try Builder()
    let (a, b) = (try builder.convolution(builder.x), try builder.convolution(builder.x))
    let joined = try builder.concatenate(a, b)
    try expect(builder, [joined], ["concatenate.in_place"])
  }

  /// As in a densely connected block: each concatenation is the beginning of the next.
  @Test func eachAddsToTheOneBefore() throws {
    var builder = try Builder()
    var all = try builder.convolution(builder.x)
    for _ in 0..<4 {
      let added = try builder.convolution(all)
      all = try builder.concatenate(all, added)
    }
    let y = try builder.convolution(all)
    try expect(builder, [y], Array(repeating: "concatenate.in_place", count: 4))
  }

  @Test func pooledOnTheWay() throws {
    var builder = try Builder()
    let skipped = try builder.convolution(builder.x)
    let window = ResolvedWindow2D(kernel: 2, stride: 2, top: 0, left: 0, bottom: 0, right: 0)
    let pooled = try builder.graph.add(MaxPool2DOperation(window: window), [skipped], name: "pool")[0]
    let w = try builder.graph.addConstant((0..<256).map { Double($0 % 7) - 3 }, TensorType([2, 2, 8, 8]))
    let enlarged = try builder.graph.apply(
      ConvolutionBackwardData(window: window, inputHeight: 6, inputWidth: 6), pooled, w, name: "transposed")
    let joined = try builder.concatenate(enlarged, skipped)
    let y = try builder.convolution(joined)
    try expect(builder, [y], ["concatenate.in_place"])
  }

  /// Maxima that a convolution takes on the way to memory.
  @Test func pooledBranches() throws {
    var builder = try Builder()
    let window = ResolvedWindow2D(kernel: 2, stride: 2, top: 0, left: 0, bottom: 0, right: 0)
    var pooled: [Value] = []
    for _ in 0..<2 {
      let z = try builder.convolution(builder.x)
      pooled.append(try builder.graph.add(MaxPool2DOperation(window: window), [z], name: "pool")[0])
    }
    let joined = try builder.concatenate(pooled[0], pooled[1])
    let y = try builder.convolution(joined)
    try expect(builder, [y], ["concatenate.in_place"], .init(algorithm: .winograd))
  }

  @Test(arguments: [1, 2, 36])
  func products(batch: Int) throws {
    var builder = try Builder()
    let x = try builder.graph.reshape(builder.x, to: [batch, 576 / batch], name: "rows")
    var products: [Value] = []
    for units in [8, 37] {
      let type = TensorType([576 / batch, units])
      let w = try builder.graph.addConstant((0..<type.shape.count).map { Double($0 % 7) - 3 }, type)
      products.append(try builder.graph.apply(MatrixProduct(), x, w, name: "product"))
    }
    let joined = try builder.concatenate(products[0], products[1])
    try expect(builder, [joined], ["concatenate.in_place"])
  }

  /// What others read densely, what is an input or an output, and what occurs twice is copied; the rest isn't.
  @Test func copiesWhereItMust() throws {
    var builder = try Builder()
    let (a, b) = (try builder.convolution(builder.x), try builder.convolution(builder.x))
    let squared = try builder.graph.apply(Multiply(), a, a, name: "square")
    let joined = try builder.concatenate(a, b, builder.x, squared)
    try expect(builder, [joined], ["concatenate"])

    builder = try Builder()
    let c = try builder.convolution(builder.x)
    let twice = try builder.concatenate(c, c)
    try expect(builder, [twice], ["concatenate"])

    builder = try Builder()
    let d = try builder.convolution(builder.x)
    let watched = try builder.concatenate(d, builder.x)
    try expect(builder, [watched, d], ["concatenate"])
  }

  /// Two concatenations of the same values in another order, both of them parts of a third: one reads what lies in the other.
  @Test func valuesOfTwoConcatenations() throws {
    var builder = try Builder()
    let (a, b) = (try builder.convolution(builder.x), try builder.convolution(builder.x))
    let (ab, ba) = (try builder.concatenate(a, b), try builder.concatenate(b, a))
    let all = try builder.concatenate(ab, ba)
    let y = try builder.convolution(all)
    try expect(builder, [y], ["concatenate", "concatenate.in_place", "concatenate.in_place"])
  }

  /// What is added on the way to memory is dense.
  @Test func residuals() throws {
    var builder = try Builder()
    let (a, b) = (try builder.convolution(builder.x), try builder.convolution(builder.x))
    let sum = try builder.graph.apply(Add(), a, builder.x, name: "sum")
    let joined = try builder.concatenate(sum, b)
    let y = try builder.convolution(joined)
    try expect(builder, [y], ["concatenate"])
  }

  /// The gradient of a concatenation, of which the branches' activations read their channels where they are.
  @Test func gradientsAreReadInPlace() throws {
    var builder = try Builder()
    var branches: [Value] = []
    for _ in 0..<2 {
      let z = try builder.convolution(builder.x)
      branches.append(try builder.graph.apply(Activate(function: .relu), z, name: "relu"))
    }
    let joined = try builder.concatenate(branches[0], branches[1])
    let loss = try builder.graph.apply(
      SumAll(), builder.graph.apply(Multiply(), joined, joined, name: "square"), name: "loss")
    let dx = try #require(try builder.graph.differentiate(loss, withRespectTo: [builder.x])[0])
    try expect(builder, [dx], ["concatenate.in_place"])
    var graph = builder.graph
    try graph.addOutput("dx", dx)
    let slices = try Program(graph).kernelSummary.filter { $0.operation == "channel_slice" }.map(\.kernel)
    #expect(slices == ["channel_slice.in_place", "channel_slice.in_place"])
  }
}
