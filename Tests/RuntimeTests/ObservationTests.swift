import CoreMetrics
import Foundation
import MetricsTestKit
import Tessera
import Testing

/// What a run tells of itself.
@Suite struct ObservationTests {
  private let model = Sequential {
    Conv2D(16, kernelSize: 3, padding: .half, inputShape: [24, 24, 3], name: "conv\"1\"")
    BatchNorm2D(name: "norm")
    ReLU()
    MaxPool2D(2)
    Flatten()
    Dense(4, activation: .softmax, name: "dense")
  }

  private func trainer(workers: Int, metrics: (any MetricsFactory)? = nil) throws -> Trainer {
    let graph = try TrainingGraph.build(
      model: model, batch: 8, loss: .softmaxCrossEntropy(), optimizer: .sgd(momentum: 0.9))
    return try Trainer(
      session: Session(Program(graph), store: ParameterStore(seed: 1), workers: workers, metrics: metrics))
  }

  private func withInputs<Result>(
    _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Result
  )
    throws -> Result
  {
    let images = [Float](repeating: 0.25, count: 8 * 24 * 24 * 3)
    let labels: [Int32] = [0, 1, 2, 3, 0, 1, 2, 3]
    return try images.withUnsafeBytes { images in
      try labels.withUnsafeBytes { labels in
        try withUnsafeBytes(of: 0.01 as Float) { try body(images, labels, $0) }
      }
    }
  }

  private func trace(_ session: Session) throws -> RunTrace {
    try withInputs { images, labels, rate in
      try session.trace { (call) throws(TesseraError) in
        try call.setInput("input", images)
        try call.setInput("target", labels)
        try call.setInput(TrainingGraph.defaultLearningRateName, rate)
      }
    }
  }

  private struct Event: Decodable {
    struct Arguments: Decodable {
      var name: String?
      var kernel: String?
      var tasks: Int?
    }
    var name: String
    var ph: String
    var pid: Int
    var tid: Int
    var ts: Double?
    var dur: Double?
    var args: Arguments?
    var end: Double { (ts ?? 0) + (dur ?? 0) }
  }

  private struct File: Decodable { var traceEvents: [Event] }

  /// Every task of every node once, on a worker that there is; in the file a row a worker, on which slices nest: a task is
  /// within what its worker computed of its node in one go, and nothing overlaps.
  @Test(arguments: [1, 2, 4]) func tracesHoldEveryTaskOnce(workers: Int) throws {
    let session = try trainer(workers: workers).session
    _ = try trace(session)
    let trace = try session.withWorkers { try self.trace(session) }
    let explanation = try session.program.explain(workers: workers)
    for node in explanation.nodes {
      let tasks = trace.tasks.filter { $0.node == node.name }
      #expect(tasks.count == node.tasks && tasks.allSatisfy { $0.kernel == node.kernel }, "\(node.name)")
    }
    #expect(trace.tasks.contains { $0.node == "begin commit" })
    #expect(trace.tasks.allSatisfy { (0..<workers).contains($0.worker) && $0.start >= 0 && $0.seconds >= 0 })

    let events = try JSONDecoder().decode(File.self, from: Data(trace.json.utf8)).traceEvents
    let rows = events.filter { $0.name == "thread_name" && $0.ph == "M" }
    #expect(rows.map(\.tid) == Array(0..<workers))
    #expect(rows.compactMap(\.args?.name) == (0..<workers).map { "worker \($0)" })
    let slices = events.filter { $0.ph == "X" }
    #expect(Set(slices.map(\.tid)).isSubset(of: 0..<workers) && Set(events.map(\.pid)).count == 1)
    #expect(slices.filter { $0.args == nil }.count == trace.tasks.count)
    #expect(slices.reduce(0) { $0 + ($1.args?.tasks ?? 0) } == trace.tasks.count)
    let names = Set(explanation.nodes.map(\.name))
    #expect(names.isSubset(of: slices.map(\.name)) && names.contains { $0.contains("\"") })
    for worker in 0..<workers {
      var (outerEnd, innerEnd) = (0.0, 0.0)
      // Times are rounded to a nanosecond each.
      let tolerance = 0.0021
      for slice in slices where slice.tid == worker {
        let start = try #require(slice.ts)
        if slice.args == nil {
          #expect(start >= innerEnd - tolerance && slice.end <= outerEnd + tolerance)
          innerEnd = slice.end
        } else {
          #expect(start >= outerEnd - tolerance)
          (outerEnd, innerEnd) = (slice.end, start)
        }
      }
    }
  }

  @Test func tracesAreWritten() throws {
    let trace = try trace(trainer(workers: 2).session)
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("trace-\(UUID().uuidString).json").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try trace.write(to: path)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == trace.json)
    let error = #expect(throws: TesseraError.self) { try trace.write(to: path + "/none") }
    #expect(error?.code == .invalidFile)
  }

  /// A traced step is a step: the same bits.
  @Test func tracesChangeNothing() throws {
    let (traced, plain) = (try trainer(workers: 2), try trainer(workers: 2))
    for _ in 0..<2 {
      _ = try trace(traced.session)
      _ = try withInputs { images, labels, _ in try plain.step(input: images, target: labels, learningRate: 0.01) }
    }
    for (name, value) in try traced.session.store.snapshot() where value.type.element == .float32 {
      #expect(try value.elements(as: Float.self) == plain.session.store[name]?.elements(as: Float.self), "\(name)")
    }
  }

  /// Runs, their duration, nodes and bytes are counted; what fails is counted apart.
  @Test func metricsCountRuns() throws {
    let metrics = TestMetrics()
    let trainer = try trainer(workers: 2, metrics: metrics)
    func step(_ rate: Float) throws {
      _ = try withInputs { images, labels, _ in try trainer.step(input: images, target: labels, learningRate: rate) }
    }
    for _ in 0..<3 { try step(0.01) }
    #expect(throws: TesseraError.self) { try step(.nan) }
    func total(_ label: String) throws -> Int64 { try metrics.expectCounter(label).totalValue }
    #expect(try total("tessera.runs") == 3 && total("tessera.run.failures") == 1)
    let durations = try metrics.expectTimer("tessera.run.duration").values
    #expect(durations.count == 4 && durations.allSatisfy { $0 > 0 })
    let explanation = try trainer.session.program.explain()
    #expect(try total("tessera.nodes") == 3 * Int64(Set(explanation.nodes.map(\.name)).count - untold(explanation)))
    #expect(try total("tessera.bytes") > 3 * Int64(explanation.nodes.map(\.bytes).max() ?? 0))
  }

  /// Steps of the runtime's own, which are no nodes.
  private func untold(_ explanation: Explanation) -> Int {
    explanation.nodes.filter { ["copy", "all_finite"].contains($0.kernel) }.count
  }
}
