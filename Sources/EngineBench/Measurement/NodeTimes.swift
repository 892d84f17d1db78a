import Tessera

/// Where the time of a network goes, node by node, as means over several runs.
struct NodeTimes {
  /// A node, or one of the runtime's own steps.
  struct Entry: Record {
    static let recordName = "node"

    let network: String
    let batch: Int
    let mode: String
    let workers: Int
    let node: String
    let kernel: String
    let ms: Double
    /// Of the direct algorithm; 0 where nobody counts.
    let gflops: Double
  }

  /// In the order in which they ran.
  let entries: [Entry]

  /// - Parameter runs: how many are measured, after one that warms up.
  init(_ benchmark: NetworkBenchmark, runs: Int) throws(TesseraError) {
    var entries = try benchmark.profile().entries
    var seconds = [Double](repeating: 0, count: entries.count)
    for _ in 0..<runs {
      // The steps of a program are the same in every run.
      entries = try benchmark.profile().entries
      for (index, entry) in entries.enumerated() { seconds[index] += entry.seconds / Double(runs) }
    }
    self.entries = zip(entries, seconds).map { entry, seconds in
      Entry(
        network: benchmark.name, batch: benchmark.batch, mode: benchmark.mode.rawValue, workers: benchmark.workers,
        node: entry.node, kernel: entry.kernel, ms: seconds * 1e3,
        gflops: seconds > 0 ? entry.flops / seconds * 1e-9 : 0)
    }
  }

  /// The kernels with the most time first.
  var text: String {
    var kernels: [String: (nodes: Int, ms: Double, work: Double)] = [:]
    for entry in entries where entry.ms > 0 {
      let kernel = kernels[entry.kernel, default: (0, 0, 0)]
      kernels[entry.kernel] = (kernel.nodes + 1, kernel.ms + entry.ms, kernel.work + entry.gflops * entry.ms)
    }
    let total = kernels.values.reduce(0) { $0 + $1.ms }
    var table = TextTable(header: ["kernel", "nodes", "ms", "%", "GFLOP/s"])
    for (name, kernel) in kernels.sorted(by: { $0.value.ms > $1.value.ms }) {
      table.add([
        name, "\(kernel.nodes)", Format.milliseconds(kernel.ms * 1e-3), Format.fixed(100 * kernel.ms / total, 1),
        kernel.work > 0 ? Format.fixed(kernel.work / kernel.ms, 0) : "-",
      ])
    }
    table.add(["run", "\(entries.count)", Format.milliseconds(total * 1e-3), "", ""])
    return table.text
  }
}
