import CoreMetrics
import TesseraGraph

/// What a session tells `swift-metrics` of its runs, once each at its end.
struct RunMetrics: Sendable {
  /// tessera.runs: those that ended well.
  private let runs: Counter
  /// tessera.run.failures: those that threw.
  private let failures: Counter
  /// tessera.run.duration, of both.
  private let duration: CoreMetrics.Timer
  /// tessera.nodes: that runs computed.
  private let nodes: Counter
  /// tessera.bytes: of operands that nodes read and wrote, each counted once a node.
  private let bytes: Counter
  private let nodesPerRun: Int
  private let bytesPerRun: Int

  /// Nil where nobody listens.
  init?(_ factory: any MetricsFactory, _ plan: ExecutionPlan) {
    if factory is NOOPMetricsHandler { return nil }
    runs = Counter(label: "tessera.runs", factory: factory)
    failures = Counter(label: "tessera.run.failures", factory: factory)
    duration = CoreMetrics.Timer(label: "tessera.run.duration", factory: factory)
    nodes = Counter(label: "tessera.nodes", factory: factory)
    bytes = Counter(label: "tessera.bytes", factory: factory)
    let steps = plan.steps[plan.prepareStepCount...]
    nodesPerRun = Set(steps.compactMap(\.node)).count
    // Phases of a node have the same operands.
    var (last, byteCount): (Int?, Int) = (nil, 0)
    for step in steps where step.node == nil || step.node != last {
      byteCount += step.operands.reduce(0) { $0 + $1.byteCount }
      last = step.node
    }
    bytesPerRun = byteCount
  }

  func record(since start: UInt64, failed: Bool) {
    duration.recordNanoseconds(TaskRecorder.now - start)
    guard !failed else { return failures.increment() }
    runs.increment()
    nodes.increment(by: nodesPerRun)
    bytes.increment(by: bytesPerRun)
  }
}
