import ArgumentParser
import Tessera
import TesseraKernels

/// One line of the report.
struct LayerResult: Record {
  static let recordName = "layer"

  let name: String
  let pass: String
  let batch: Int
  let algorithm: String
  let isa: String
  let workers: Int
  /// Whether caches were flushed before each run.
  let cold: Bool
  let bestMs: Double
  let medianMs: Double
  let spread: Double
  let windows: Int
  let endedBy: Windows.End
  let gflops: Double
  let percentOfPeak: Double
  /// Of all operands, each once.
  let bytes: Int
  /// Operations of the direct algorithm by bytes.
  let intensity: Double
  /// "arithmetic", or the level of memory that operands come from.
  let bound: String
  /// What that bound leaves.
  let roofGflops: Double
  let prepareMs: Double
  @Nullable private(set) var maxError: Double?

  enum CodingKeys: String, CodingKey {
    case name, pass, batch, algorithm, isa, workers, cold, gflops, spread, windows, bytes,
      intensity, bound
    case roofGflops = "roof_gflops"
    case endedBy = "ended_by"
    case bestMs = "best_ms"
    case medianMs = "median_ms"
    case percentOfPeak = "percent_of_peak"
    case prepareMs = "prepare_ms"
    case maxError = "max_error"
  }
}

/// What one pass of one layer reads and writes, in the caller's memory. Operands that the pass doesn't read are empty.
struct LayerOperands: Sendable {
  let x: HostTensor<Float>
  let w: HostTensor<Float>
  let bias: HostTensor<Float>
  let dy: HostTensor<Float>
  let result: HostTensor<Float>
  let biasGradient: HostTensor<Float>

  /// - Throws: ``TesseraError/Code/systemFailure`` if there is no memory for them.
  init(_ g: ConvolutionGeometry, _ pass: ConvolutionPass, seed: UInt64) throws(TesseraError) {
    x = try .normal(pass == .backwardData ? 0 : g.xCount, seed: seed)
    w = try .normal(pass == .backwardWeights ? 0 : g.weightCount, seed: seed &+ 1)
    bias = try .normal(g.k, seed: seed &+ 2)
    dy = try .normal(pass == .forward ? 0 : g.yCount, seed: seed &+ 3)
    let count =
      switch pass {
      case .forward: g.yCount
      case .backwardData: g.xCount
      case .backwardWeights: g.weightCount
      }
    result = try HostTensor(count) { _ in 0 }
    biasGradient = try HostTensor(g.k) { _ in 0 }
  }

  private init(
    x: HostTensor<Float>, w: HostTensor<Float>, bias: HostTensor<Float>, dy: HostTensor<Float>,
    result: HostTensor<Float>, biasGradient: HostTensor<Float>
  ) {
    (self.x, self.w, self.bias, self.dy) = (x, w, bias, dy)
    (self.result, self.biasGradient) = (result, biasGradient)
  }

  /// Of all that the pass reads and writes.
  func byteCount(_ pass: ConvolutionPass) -> Int {
    let biases = pass == .backwardData ? 0 : bias.bytes.count
    return [x, w, dy, result].reduce(biases) { $0 + $1.bytes.count }
  }

  /// Of what the pass writes.
  func writtenByteCount(_ pass: ConvolutionPass) -> Int {
    result.bytes.count + (pass == .backwardWeights ? biasGradient.bytes.count : 0)
  }

  /// The magnitudes of what is read, with the same results.
  func magnitudes() throws(TesseraError) -> LayerOperands {
    LayerOperands(
      x: try x.magnitudes(), w: try w.magnitudes(), bias: try bias.magnitudes(),
      dy: try dy.magnitudes(),
      result: result,
      biasGradient: biasGradient)
  }

  /// An element of the result in double precision.
  func referenceElement(_ g: ConvolutionGeometry, _ pass: ConvolutionPass, _ index: Int) -> Double {
    switch pass {
    case .forward:
      Reference.convolutionForwardElement(g, index, x: x.pointer, w: w.pointer, bias: bias.pointer)
    case .backwardData:
      Reference.convolutionBackwardDataElement(g, index, dy: dy.pointer, w: w.pointer)
    case .backwardWeights:
      Reference.convolutionBackwardWeightsElement(g, index, x: x.pointer, dy: dy.pointer)
    }
  }
}

/// One pass of one layer as a program of its own, with operands in the caller's memory.
///
/// Forward includes the bias and uses weights prepared before; backward-data prepares them in every run, since they
/// change each step; backward-weights includes the bias' gradient.
final class LayerBenchmark: Sendable {
  let problem: LayerProblem
  let pass: ConvolutionPass
  let operands: LayerOperands
  private let session: Session
  private let inputs: [(name: String, tensor: HostTensor<Float>)]
  private let outputs: [(name: String, tensor: HostTensor<Float>)]

  init(
    _ problem: LayerProblem, _ pass: ConvolutionPass, _ operands: LayerOperands, workers: Int, options: Program.Options
  ) throws(TesseraError) {
    self.problem = problem
    self.pass = pass
    self.operands = operands
    let g = problem.geometry
    let xType = TensorType([g.n, g.h, g.w, g.c])
    let wType = TensorType([g.r, g.s, g.channelsPerGroup, g.k])
    let dyType = TensorType([g.n, g.p, g.q, g.k])
    var graph = Graph()
    let store = ParameterStore()
    switch pass {
    case .forward:
      let values = [
        try graph.addInput("x", xType),
        try graph.addVariable(Variable(name: "w", type: wType)),
        try graph.addVariable(Variable(name: "b", type: TensorType([g.k]))),
      ]
      let y = try graph.add(
        Convolution2D(window: problem.window, groups: g.groups), values, name: problem.name)
      try graph.addOutput("y", y[0])
      inputs = [("x", operands.x)]
      outputs = [("y", operands.result)]
    case .backwardData:
      let dx = try graph.apply(
        ConvolutionBackwardData(
          window: problem.window, groups: g.groups, inputHeight: g.h, inputWidth: g.w),
        try graph.addInput("dy", dyType), try graph.addInput("w", wType), name: problem.name)
      try graph.addOutput("dx", dx)
      inputs = [("dy", operands.dy), ("w", operands.w)]
      outputs = [("dx", operands.result)]
    case .backwardWeights:
      let (x, dy) = (try graph.addInput("x", xType), try graph.addInput("dy", dyType))
      let dw = try graph.apply(
        ConvolutionBackwardWeights(window: problem.window, groups: g.groups), x, dy,
        name: problem.name)
      try graph.addOutput("dw", dw)
      try graph.addOutput("db", graph.apply(ChannelSum(), dy, name: "bias"))
      inputs = [("x", operands.x), ("dy", operands.dy)]
      outputs = [("dw", operands.result), ("db", operands.biasGradient)]
    }
    session = try Session(Program(graph, options: options), store: store, workers: workers)
    if pass == .forward { try writeWeights() }
  }

  /// The algorithm that computes it.
  var chosen: ChosenConvolution? { session.program.convolutions.first }

  func run() throws(TesseraError) { try session.run(bind) }

  /// - Parameter flush: what empties the caches before each run; nil: nothing does.
  func measure(
    _ repetition: Repetition, _ roofline: inout Roofline, flush: CacheFlush?, verifies: Bool
  ) throws
    -> LayerResult
  {
    let timing = try Timing(repetition) {
      try flush?.run()
      let start = ContinuousClock.now
      try run()
      return (ContinuousClock.now - start) / .seconds(1)
    }
    let (flops, bytes, writtenBytes) = (
      problem.geometry.flops, operands.byteCount(pass), operands.writtenByteCount(pass)
    )
    let roof = roofline.roof(
      flops: flops, bytes: bytes, writtenBytes: writtenBytes, isCold: flush != nil)
    let gflops = flops / timing.bestSeconds * 1e-9
    return LayerResult(
      name: problem.name, pass: pass.rawValue, batch: problem.geometry.n, algorithm: algorithm,
      isa: session.program.instructionSet.name, workers: session.workers, cold: flush != nil,
      bestMs: timing.bestSeconds * 1e3, medianMs: timing.medianSeconds * 1e3,
      spread: timing.windows.spread, windows: timing.windows.means.count,
      endedBy: timing.windows.end, gflops: gflops,
      percentOfPeak: 100 * gflops / roofline.peak.gflops, bytes: bytes,
      intensity: flops / Double(bytes),
      bound: roof.bound, roofGflops: roof.gflops, prepareMs: try prepareSeconds() * 1e3,
      maxError: verifies ? LayerVerification.maximumError(self) : nil)
  }

  private var algorithm: String {
    session.program.kernelSummary.first { $0.node == problem.name }?.kernel ?? ""
  }

  private func bind(_ call: borrowing RunBindings) throws(TesseraError) {
    for (name, tensor) in inputs { try call.setInput(name, UnsafeRawBufferPointer(tensor.bytes)) }
    for (name, tensor) in outputs { try call.setOutput(name, tensor.bytes) }
  }

  private func writeWeights() throws(TesseraError) {
    let g = problem.geometry
    try session.store.set([
      "w": Tensor(
        TensorType([g.r, g.s, g.channelsPerGroup, g.k]), bytes: UnsafeRawBufferPointer(operands.w.bytes)),
      "b": Tensor(TensorType([g.k]), bytes: UnsafeRawBufferPointer(operands.bias.bytes)),
    ])
  }

  /// The best time of bringing the weights into the kernel's order, of five.
  private func prepareSeconds() throws(TesseraError) -> Double {
    var best = Double.infinity
    for _ in 0..<5 {
      if pass == .forward { try writeWeights() }
      let packing = try session.profile(bind).entries.filter { $0.kernel.hasPrefix("pack.") }
      best = min(best, packing.reduce(0) { $0 + $1.seconds })
    }
    return best
  }
}
