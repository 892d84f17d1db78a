import ArgumentParser
import Tessera
import TesseraKernels

/// One line of the report.
struct LayerResult: Record {
  static let recordName = "layer"

  let name: String
  let pass: String
  let algorithm: String
  let isa: String
  let workers: Int
  let bestMs: Double
  let medianMs: Double
  let spread: Double
  let windows: Int
  let endedBy: Windows.End
  let gflops: Double
  let percentOfPeak: Double
  let prepareMs: Double
  @Nullable private(set) var maxError: Double?

  enum CodingKeys: String, CodingKey {
    case name, pass, algorithm, isa, workers, gflops, spread, windows
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

  func measure(_ repetition: Repetition, peak: PeakMeasurement, verifies: Bool) throws -> LayerResult {
    let timing = try Timing(repetition) { try run() }
    let gflops = problem.geometry.flops / timing.bestSeconds * 1e-9
    return LayerResult(
      name: problem.name, pass: pass.rawValue, algorithm: algorithm,
      isa: session.program.instructionSet.name, workers: session.workers,
      bestMs: timing.bestSeconds * 1e3, medianMs: timing.medianSeconds * 1e3,
      spread: timing.windows.spread, windows: timing.windows.means.count, endedBy: timing.windows.end, gflops: gflops,
      percentOfPeak: 100 * gflops / peak.gflops, prepareMs: try prepareSeconds() * 1e3,
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
