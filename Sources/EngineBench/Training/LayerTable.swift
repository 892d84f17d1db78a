import Tessera
import TesseraNetworks

/// Time and share of peak of each layer in training steps, forward and backward.
struct LayerTable {
  private struct Row {
    var forward = Cell()
    var backward = Cell()
  }

  private struct Cell {
    var seconds = 0.0
    var flops = 0.0
  }

  private static let optimizer = "(optimizer)"
  private static let rest = "(loss and checks)"

  private let layers: [String]
  private let forwardNodes: Set<String>
  private var rows: [String: Row] = [:]
  private var steps = 0

  init(_ network: Network) throws(TesseraError) {
    let builder = ModelBuilder(mode: .training)
    let input = try builder.input(of: network.model, inputShape: nil, batch: 2)
    _ = try network.model.build(input, in: builder)
    layers = builder.layerNames
    forwardNodes = Set(builder.graph.nodes.map(\.name))
  }

  /// The table of training steps on one seeded batch, after a warm-up.
  static func measured(
    _ network: Network, batch: Int, steps: Int, workers: Int, options: Program.Options
  ) throws(TesseraError) -> LayerTable {
    let benchmark = try NetworkBenchmark(
      NetworkSource(network), batch: batch, mode: .training, seed: 0, workers: workers, options: options)
    var table = try LayerTable(network)
    for _ in 0..<3 { _ = try benchmark.profile() }
    for _ in 0..<steps { table.add(try benchmark.profile()) }
    return table
  }

  /// Adds the times of one training step.
  mutating func add(_ profile: RunProfile) {
    steps += 1
    for entry in profile.entries {
      // A node of the backward pass is named after the forward node, and that after its layer.
      let node = entry.node.hasSuffix(".pack") ? String(entry.node.dropLast(5)) : entry.node
      let layer = layers.filter { node == $0 || node.hasPrefix($0 + ".") }.max { $0.count < $1.count }
      let isUpdate = node.hasSuffix(".update")
      let name = isUpdate ? Self.optimizer : layer ?? Self.rest
      let isForward = layer != nil && !isUpdate && forwardNodes.contains(node)
      let path = isForward ? \Row.forward : \Row.backward
      rows[name, default: Row()][keyPath: path].seconds += entry.seconds
      rows[name, default: Row()][keyPath: path].flops += entry.flops
    }
  }

  /// A layer's record for each pass.
  /// - Parameter peak: in GFLOP/s, at the number of workers that ran.
  func records(peak: Double) -> [TrainedLayerRecord] {
    (layers + [Self.rest, Self.optimizer]).flatMap { name -> [TrainedLayerRecord] in
      guard let row = rows[name] else { return [] }
      return [("forward", row.forward), ("backward", row.backward)].filter { $0.1.seconds > 0 }.map { pass, cell in
        TrainedLayerRecord(
          layer: name, pass: pass, ms: cell.seconds / Double(max(1, steps)) * 1e3,
          percentOfPeak: cell.flops > 0 ? 100 * cell.flops / cell.seconds * 1e-9 / peak : nil)
      }
    }
  }

  /// - Parameter peak: in GFLOP/s, at the number of workers that ran.
  func text(peak: Double) -> String {
    var table = TextTable(
      header: ["layer", "forward ms", "% of peak", "backward ms", "% of peak"])
    let names = layers + [Self.rest, Self.optimizer]
    var total = Row()
    for name in names {
      guard let row = rows[name] else { continue }
      table.add([name] + cells(row, peak))
      total.forward.seconds += row.forward.seconds
      total.forward.flops += row.forward.flops
      total.backward.seconds += row.backward.seconds
      total.backward.flops += row.backward.flops
    }
    table.add(["step"] + cells(total, peak))
    return table.text
  }

  private func cells(_ row: Row, _ peak: Double) -> [String] {
    [row.forward, row.backward].flatMap { cell -> [String] in
      guard cell.seconds > 0 else { return ["-", "-"] }
      let share = 100 * cell.flops / cell.seconds * 1e-9 / peak
      return [
        Format.milliseconds(cell.seconds / Double(max(1, steps))),
        cell.flops > 0 ? Format.fixed(share, 1) : "-",
      ]
    }
  }
}

/// What a layer takes of a training step.
struct TrainedLayerRecord: Record {
  static let recordName = "trained_layer"

  let layer: String
  let pass: String
  let ms: Double
  /// Of operations of the direct algorithm; nil where nobody counts.
  @Nullable private(set) var percentOfPeak: Double?

  enum CodingKeys: String, CodingKey {
    case layer, pass, ms
    case percentOfPeak = "percent_of_peak"
  }
}
