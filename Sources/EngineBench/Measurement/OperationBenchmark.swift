import Dispatch
import Tessera
import TesseraKernels

/// One line of the report.
struct OperationResult: Record {
  static let recordName = "operation"

  let name: String
  let pass: String
  let kernel: String
  let isa: String
  let workers: Int
  let bestMs: Double
  let medianMs: Double
  let spread: Double
  let windows: Int
  let endedBy: Windows.End
  let bytes: Int
  let gigabytesPerSecond: Double
  let reference: String
  let referenceGigabytesPerSecond: Double
  let percentOfBandwidth: Double

  enum CodingKeys: String, CodingKey {
    case name, pass, kernel, isa, workers, bytes, reference, spread, windows
    case endedBy = "ended_by"
    case bestMs = "best_ms"
    case medianMs = "median_ms"
    case gigabytesPerSecond = "gigabytes_per_second"
    case referenceGigabytesPerSecond = "reference_gigabytes_per_second"
    case percentOfBandwidth = "percent_of_bandwidth"
  }
}

/// The caller's memory for the operands of one benchmark after the other, filled once.
final class OperandMemory {
  fileprivate let normals: HostTensor<Float>
  fileprivate let results: HostTensor<Float>

  /// Room for each of the problems.
  /// - Throws: ``TesseraError/Code/systemFailure`` if there is no memory for it.
  init(for problems: [OperationProblem], seed: UInt64) throws(TesseraError) {
    func floats(_ bytes: (OperationProblem) -> Int) -> Int {
      problems.map { bytes($0) / 4 + 8 * Self.line }.max() ?? 0
    }
    normals = try .normal(floats { $0.inputs.reduce(0) { $0 + $1.type.byteCount } }, seed: seed)
    results = try HostTensor(floats(\.writtenBytes)) { _ in 0 }
  }

  /// Floats of 128 bytes, to which the tensors of an arena are aligned.
  private static let line = 32

  /// The parts of `memory` for tensors of these types, one behind the other.
  fileprivate static func parts(_ memory: HostTensor<Float>, _ types: [TensorType]) -> [UnsafeMutableRawBufferPointer] {
    var offset = 0
    return types.map { type in
      defer { offset = (offset + type.byteCount + 4 * line - 1) / (4 * line) * (4 * line) }
      return UnsafeMutableRawBufferPointer(rebasing: memory.bytes[offset..<offset + type.byteCount])
    }
  }
}

/// One operator as a program of its own, with operands in the caller's memory.
final class OperationBenchmark {
  private let problem: OperationProblem
  private let session: Session
  private var inputs: [(name: String, bytes: UnsafeRawBufferPointer)] = []
  private var outputs: [(name: String, bytes: UnsafeMutableRawBufferPointer)] = []
  /// Keep the memory of inputs and outputs.
  private var owners: [AnyObject]

  init(_ problem: OperationProblem, _ memory: OperandMemory, workers: Int, options: Program.Options)
    throws(TesseraError)
  {
    self.problem = problem
    owners = [memory]
    var graph = Graph()
    try graph.addOutput("assembled", graph.add(Assemble(workers: workers), [], name: Assemble.node)[0])
    var operands: [Value] = []
    var variables: [Value] = []
    let parts = OperandMemory.parts(memory.normals, problem.inputs.map(\.type))
    for (index, (input, part)) in zip(problem.inputs, parts).enumerated() {
      let name = "operand\(index)"
      if case .variable = input.content {
        let variable = Variable(
          name: name, type: input.type, initializer: problem.isUpdate ? .zeros : .uniform(bound: 1))
        operands.append(try graph.addVariable(variable))
        variables.append(operands[index])
        continue
      }
      operands.append(try graph.addInput(name, input.type))
      let (bytes, owner) = try Self.contents(input, memory, part)
      inputs.append((name, UnsafeRawBufferPointer(bytes)))
      owners.append(owner)
    }
    let results = try graph.add(problem.operation, operands, name: Self.node)
    if problem.isUpdate {
      for (variable, result) in zip(variables, results) { try graph.addUpdate(of: variable, to: result) }
    } else {
      for (index, (result, part)) in zip(results, OperandMemory.parts(memory.results, problem.outputs)).enumerated() {
        try graph.addOutput("result\(index)", result)
        outputs.append(("result\(index)", part))
      }
    }
    session = try Session(Program(graph, options: options), store: ParameterStore(), workers: workers)
  }

  private static let node = "measured"

  /// What an operand that isn't a variable is bound to, and who owns it.
  private static func contents(
    _ input: OperationProblem.Operand, _ memory: OperandMemory, _ part: UnsafeMutableRawBufferPointer
  ) throws(TesseraError)
    -> (bytes: UnsafeMutableRawBufferPointer, owner: AnyObject)
  {
    func own<Element>(_ tensor: HostTensor<Element>) -> (UnsafeMutableRawBufferPointer, AnyObject) {
      (tensor.bytes, tensor)
    }
    let count = input.type.shape.count
    switch input.content {
    case .normal, .variable: return (part, memory)
    case .ones: return try own(HostTensor<Float>(count) { _ in 1 })
    case .below(let limit):
      var random = PhiloxGenerator(seed: 2)
      return try own(HostTensor<Int32>(count) { _ in Int32(random.nextWord() % UInt32(limit)) })
    case .scalar:
      return input.type.element == .int64
        ? try own(HostTensor<Int64>(count) { _ in 1 }) : try own(HostTensor<Float>(count) { _ in 1e-3 })
    }
  }

  func measure(_ repetition: Repetition, _ bandwidths: inout Bandwidths) throws -> OperationResult {
    let timing = try Timing(repetition) { try seconds() }
    let bytes = problem.readBytes + problem.writtenBytes
    let rate = Double(bytes) / timing.bestSeconds * 1e-9
    let reference = bandwidths.reference(
      writtenShare: Double(problem.writtenBytes) / Double(bytes), bytes: problem.footprint)
    return OperationResult(
      name: problem.name, pass: problem.pass,
      kernel: session.program.kernelSummary.last { $0.node == Self.node }?.kernel ?? "",
      isa: session.program.instructionSet.name, workers: session.workers, bestMs: timing.bestSeconds * 1e3,
      medianMs: timing.medianSeconds * 1e3, spread: timing.windows.spread, windows: timing.windows.means.count,
      endedBy: timing.windows.end, bytes: bytes, gigabytesPerSecond: rate, reference: reference.name,
      referenceGigabytesPerSecond: reference.gigabytesPerSecond,
      percentOfBandwidth: 100 * rate / reference.gigabytesPerSecond)
  }

  /// What one run takes from the moment on when all workers are there.
  private func seconds() throws(TesseraError) -> Double {
    let profile = try session.profile { (call) throws(TesseraError) in
      for (name, bytes) in inputs { try call.setInput(name, bytes) }
      for (name, bytes) in outputs { try call.setOutput(name, bytes) }
    }
    return profile.entries.reduce(0) { $0 + ($1.node == Assemble.node ? 0 : $1.seconds) }
  }
}

/// A step before the measured one that takes until the workers of the run have arrived, as in the midst of a network.
private struct Assemble: KernelOperation {
  static let node = "assemble"
  let workers: Int

  var name: String { "assemble" }

  func outputTypes(_ inputs: [TensorType], at location: String) -> [TensorType] { [TensorType(.scalar)] }

  func kernel(_ context: KernelContext) -> NodeKernel {
    // Longer than the system takes to start a thread, as a rule.
    let nanoseconds: UInt64 = workers > 1 ? 100_000 : 0
    return NodeKernel(name: "assemble", taskCount: workers) { _, _ in
      let start = DispatchTime.now().uptimeNanoseconds
      while DispatchTime.now().uptimeNanoseconds - start < nanoseconds {}
    }
  }
}
