import Tessera
import TesseraKernels

/// One thing that a number of workers did, and how fast.
struct PeakFigure: Record {
  static let recordName = "peak"

  let measure: String
  let isa: String
  let level: String
  let workers: Int
  let value: Double
  let unit: String

  static func measured(
    _ sets: [InstructionSet], bandwidthOf instructionSet: InstructionSet, teams: [Int]
  ) throws -> [PeakFigure] {
    var figures: [PeakFigure] = []
    for set in sets {
      for workers in teams {
        figures.append(
          PeakFigure(
            measure: "multiply_add", isa: set.name, level: "registers", workers: workers,
            value: PeakMeasurement.multiplyAdd(set, workers: workers), unit: "GFLOP/s"))
      }
    }
    for level in MemoryLevel.allCases {
      for (pattern, streams) in Bandwidths.loops(in: level) {
        for workers in teams {
          guard let bandwidth = BandwidthMeasurement(instructionSet: instructionSet, workers: workers) else { continue }
          figures.append(
            PeakFigure(
              measure: Bandwidths.name(pattern, streams), isa: instructionSet.name, level: level.rawValue,
              workers: workers, value: bandwidth.gigabytesPerSecond(pattern, in: level, streams: streams),
              unit: "GB/s"))
        }
      }
    }
    let latencies: [(measure: String, seconds: (InstructionSet, Int) throws -> Double)] = [
      ("empty_run", emptyRunSeconds),
      ("fork_join", { try forkJoinSeconds($0, workers: $1, isAwake: false) }),
      ("fork_join.awake", { try forkJoinSeconds($0, workers: $1, isAwake: true) }),
      ("empty_node", emptyNodeSeconds),
    ]
    for (measure, seconds) in latencies {
      for workers in teams {
        try Interruption.check()
        figures.append(
          PeakFigure(
            measure: measure, isa: instructionSet.name, level: "", workers: workers,
            value: try seconds(instructionSet, workers) * 1e6, unit: "us"))
      }
    }
    return figures
  }

  /// The two figures that one-minute stories tell.
  static func figures(of peak: PeakMeasurement) -> (multiplyAdd: PeakFigure, read: PeakFigure) {
    func figure(_ measure: String, _ level: String, _ value: Double, _ unit: String) -> PeakFigure {
      PeakFigure(
        measure: measure, isa: peak.instructionSet.name, level: level, workers: peak.workers, value: value, unit: unit)
    }
    return (
      figure("multiply_add", "registers", peak.gflops, "GFLOP/s"),
      figure("read", MemoryLevel.memory.rawValue, peak.readGigabytesPerSecond, "GB/s")
    )
  }

  /// A line for each measure, a column for each number of workers.
  static func text(_ figures: [PeakFigure]) -> String {
    let teams = Set(figures.map(\.workers)).sorted()
    var table = TextTable(
      header: ["measure", "of", "unit"] + teams.map { Format.count($0, "worker") })
    for figure in figures where figure.workers == teams.first {
      let values = figures.filter {
        $0.measure == figure.measure && $0.isa == figure.isa && $0.level == figure.level
      }
      table.add(
        [figure.measure, figure.measure == "multiply_add" ? figure.isa : figure.level, figure.unit]
          + values.map { Format.fixed($0.value, $0.value < 1 ? 3 : 1) })
    }
    return table.text
  }

  /// How long a run takes that has next to nothing to compute: one addition.
  private static func emptyRunSeconds(_ set: InstructionSet, _ workers: Int) throws -> Double {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([1]))
    try graph.addOutput("y", graph.apply(Add(), x, x, name: "y"))
    let session = try Session(
      Program(graph, options: Program.Options(instructionSet: set)), store: ParameterStore(), workers: workers)
    let (input, output) = (try HostTensor<Float>(1) { _ in 1 }, try HostTensor<Float>(1) { _ in 0 })
    let timing = try Timing(Repetition(window: 0.02, limit: 0.1)) { () throws(TesseraError) in
      try session.run { (call) throws(TesseraError) in
        try call.setInput("x", UnsafeRawBufferPointer(input.bytes))
        try call.setOutput("y", output.bytes)
      }
    }
    return timing.bestSeconds
  }

  /// How long a run takes that gives each worker one task with nothing to do, and waits for all of them.
  /// - Parameter isAwake: whether workers spin for the next run, as in a burst; else each is woken.
  private static func forkJoinSeconds(_ set: InstructionSet, workers: Int, isAwake: Bool) throws
    -> Double
  {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([1]))
    try graph.addOutput("y", graph.add(Nothing(tasks: workers), [x], name: "node")[0])
    let session = try Session(
      Program(graph, options: Program.Options(instructionSet: set)), store: ParameterStore(),
      workers: workers)
    let input = try HostTensor<Float>(1) { _ in 1 }
    func timing() throws -> Timing {
      try Timing(Repetition(window: 0.02, limit: 0.1)) { () throws(TesseraError) in
        try session.run { (call) throws(TesseraError) in
          try call.setInput("x", UnsafeRawBufferPointer(input.bytes))
        }
      }
    }
    return try (isAwake ? session.withWorkers(timing) : timing()).medianSeconds
  }

  /// How long a node takes within a run, in which each worker has a task with nothing to do, and the next node waits for
  /// all of them.
  private static func emptyNodeSeconds(_ set: InstructionSet, _ workers: Int) throws -> Double {
    let count = 1000
    var graph = Graph()
    var value = try graph.addInput("x", TensorType([1]))
    for index in 0..<count { value = try graph.add(Nothing(tasks: workers), [value], name: "node\(index)")[0] }
    try graph.addOutput("y", value)
    let session = try Session(
      Program(graph, options: Program.Options(instructionSet: set)), store: ParameterStore(), workers: workers)
    let input = try HostTensor<Float>(1) { _ in 1 }
    let timing = try session.withWorkers {
      try Timing(Repetition(window: 0.05, limit: 0.25)) { () throws(TesseraError) in
        try session.run { (call) throws(TesseraError) in try call.setInput("x", UnsafeRawBufferPointer(input.bytes)) }
      }
    }
    return timing.bestSeconds / Double(count)
  }
}

/// Tasks that do nothing, and say that they have work: a run takes all workers.
private struct Nothing: KernelOperation {
  let tasks: Int
  var name: String { "nothing" }

  func outputTypes(_ inputs: [TensorType], at location: String) -> [TensorType] { inputs }
  func flops(_ inputs: [TensorType]) -> Double { 1e8 * Double(tasks) }
  func kernel(_ context: KernelContext) -> NodeKernel {
    NodeKernel(name: "nothing", taskCount: tasks) { _, _ in }
  }
}

/// The bandwidths of one team: those of the caches are measured when they are first asked for, those of memory, which
/// others use too, each time.
struct Bandwidths {
  /// What an operator was compared with.
  struct Reference {
    let name: String
    let gigabytesPerSecond: Double
  }

  private let measurement: BandwidthMeasurement
  private let remembersMemory: Bool
  private var known: [String: Double] = [:]

  /// - Parameter remembersMemory: whether memory's too are measured once only.
  init?(instructionSet: InstructionSet, workers: Int, remembersMemory: Bool = false) {
    self.remembersMemory = remembersMemory
    guard let measurement = BandwidthMeasurement(instructionSet: instructionSet, workers: workers)
    else { return nil }
    self.measurement = measurement
  }

  /// In memory also with stores past the caches.
  static func loops(in level: MemoryLevel) -> [(TransferPattern, streams: Bool)] {
    let plain = TransferPattern.allCases.map { ($0, false) }
    return level == .memory ? plain + TransferPattern.allCases.filter { $0.writes > 0 }.map { ($0, true) } : plain
  }

  static func name(_ pattern: TransferPattern, _ streams: Bool) -> String {
    streams ? "\(pattern.rawValue).stream" : pattern.rawValue
  }

  /// The fastest loop with the nearest share of writes, on operands at the same level.
  mutating func reference(writtenShare: Double, bytes: Int) -> Reference {
    reference(
      writtenShare: writtenShare,
      in: BandwidthMeasurement.level(ofBytes: bytes, workers: measurement.workers))
  }

  /// The fastest loop with the nearest share of writes at a level.
  mutating func reference(writtenShare: Double, in level: MemoryLevel) -> Reference {
    func distance(_ pattern: TransferPattern) -> Double { abs(pattern.writtenShare - writtenShare) }
    var best = Reference(name: "none", gigabytesPerSecond: 0)
    let nearest = TransferPattern.allCases.min { distance($0) < distance($1) }
    for (pattern, streams) in Self.loops(in: level) where pattern == nearest {
      let name = "\(level.rawValue) \(Self.name(pattern, streams))"
      let value =
        (level == .memory && !remembersMemory ? nil : known[name])
        ?? measurement.gigabytesPerSecond(pattern, in: level, streams: streams)
      known[name] = value
      if value > best.gigabytesPerSecond { best = Reference(name: name, gigabytesPerSecond: value) }
    }
    return best
  }
}
