import Foundation
import Tessera
import TesseraRuntime

/// Turns results into the sections of a page: each kind of record that a file holds has its own.
struct ReportBuilder {
  private let file: ResultFile
  /// Results from before, to compare with.
  private let other: ResultFile?
  private let gnuplot: Gnuplot

  init(_ file: ResultFile, comparedWith other: ResultFile?, gnuplot: Gnuplot) {
    (self.file, self.other, self.gnuplot) = (file, other, gnuplot)
  }

  /// - Throws: ``TesseraError/Code/invalidFile`` if there is nothing in the file that could be shown.
  func page() throws(TesseraError) -> ReportPage {
    var sections: [ReportPage.Section] = []
    for section in [
      try comparison(), try layers(), try networks(), try scaling(), try load(), operations(), peaks(), trainedLayers(),
    ] {
      if let section { sections.append(section) }
    }
    guard !sections.isEmpty else {
      throw TesseraError(
        .invalidFile, at: file.path, expected: "records of layers, networks, operators, peaks, scaling or load",
        found: Set(file.entries.map(\.record)).sorted().joined(separator: ", "))
    }
    if let machine = machine() { sections.insert(machine, at: 0) }
    let environment = file.records("environment").first
    let commit = environment?.string("commit").map { ", commit \($0.prefix(12))" } ?? ""
    return ReportPage(
      title: environment?.string("processor") ?? "Results",
      subtitle: "Tessera \(environment?.string("version") ?? "")\(commit), \(environment?.string("date") ?? "")",
      warnings: warnings(), sections: sections, version: EngineBench.version)
  }

  /// Each once, and which command had it.
  private func warnings() -> [String] {
    var seen: Set<String> = []
    var command = ""
    return file.entries.flatMap { entry -> [String] in
      if entry.record == "environment" { command = entry.strings("command").joined(separator: " ") }
      guard entry.record == "environment" || entry.record == "noise" else { return [] }
      return entry.strings("warnings").map { "\(command): \($0)" }.filter { seen.insert($0).inserted }
    }
  }

  // MARK: Machine and peaks

  private func machine() -> ReportPage.Section? {
    guard let environment = file.records("environment").first else { return nil }
    let before = other?.records("environment").first
    var table = ReportPage.Table(facts: ["", "this result"] + (before == nil ? [] : ["compared with"]))
    for (title, fields) in Self.facts {
      func text(_ entry: ResultFile.Entry) -> String {
        fields.map { field in Self.fact(field, entry) }.filter { !$0.isEmpty }.joined(separator: ", ")
      }
      let cells = [text(environment)] + (before.map { [text($0)] } ?? [])
      table.add([title] + cells, mark: Set(cells).count > 1 ? "differs" : nil)
    }
    return ReportPage.Section(id: "machine", title: "Machine", parts: [ReportPage.Part(table: table)])
  }

  private static let facts: [(title: String, fields: [String])] = [
    ("processor", ["processor", "architecture"]), ("cores", ["cores", "machine_cores", "threads_per_core"]),
    ("topology", ["packages", "numa_nodes", "l3_groups", "l2_groups"]),
    ("caches", ["l1_bytes", "l2_bytes", "l3_bytes"]),
    ("memory", ["memory_bytes"]), ("affinity", ["affinity"]), ("quota", ["quota"]), ("instruction set", ["isa"]),
    ("workers", ["workers"]), ("kernel", ["kernel"]), ("governor", ["governor"]),
    ("package", ["version", "commit"]), ("date", ["date"]),
  ]

  private static func fact(_ field: String, _ entry: ResultFile.Entry) -> String {
    if field.hasSuffix("_bytes"), let bytes = entry.number(field) {
      let level = field.hasPrefix("l") ? "\(field.prefix(2).uppercased()) " : ""
      return level + TopologyReport.size(Int(bytes))
    }
    let text = entry.fields[field]?.cell ?? ""
    if text.isEmpty { return field == "governor" ? "not to be read" : field == "quota" ? "none" : "" }
    return switch field {
    case "cores": "\(text) usable"
    case "machine_cores": "of \(text)"
    case "threads_per_core": "\(text) thread\(text == "1" ? "" : "s") each"
    case "packages": "\(text) package\(text == "1" ? "" : "s")"
    case "numa_nodes": "\(text) NUMA node\(text == "1" ? "" : "s")"
    case "l3_groups": "\(text) L3"
    case "l2_groups": "\(text) L2"
    default: text
    }
  }

  private func peaks() -> ReportPage.Section? {
    let figures = file.records("peak")
    guard !figures.isEmpty else { return nil }
    let teams = Set(figures.compactMap { $0.number("workers") }).sorted()
    var table = ReportPage.Table(
      ["<measure", "<of", "<unit"] + teams.map { Format.count(Int($0), "worker") })
    var seen: Set<[String]> = []
    for figure in figures {
      let of = figure.string("measure") == "multiply_add" ? figure.string("isa") : figure.string("level")
      let key = [figure.string("measure") ?? "", of ?? "", figure.string("unit") ?? ""]
      guard seen.insert(key).inserted else { continue }
      let values = teams.map { team -> String in
        let same = figures.filter {
          $0.string("measure") == figure.string("measure") && $0.string("level") == figure.string("level")
            && $0.string("isa") == figure.string("isa") && $0.number("workers") == team
        }.compactMap { $0.number("value") }
        let best = figure.string("unit") == "us" ? same.min() : same.max()
        return best.map { Format.fixed($0, $0 < 1 ? 3 : 1) } ?? ""
      }
      table.add(key + values)
    }
    return ReportPage.Section(id: "peaks", title: "Peaks", parts: [ReportPage.Part(table: table)])
  }

  // MARK: Layers and operators

  private func layers() throws(TesseraError) -> ReportPage.Section? {
    let layers = file.records("layer")
    guard !layers.isEmpty else { return nil }
    var table = ReportPage.Table(
      [
        "#", "<layer", "<pass", "<algorithm", "best ms", "median", "spread", "GFLOP/s", "% of peak", "FLOP/byte",
        "<bound",
      ])
    for (index, layer) in layers.enumerated() {
      table.add([
        "\(index + 1)", layer.string("name") ?? "", layer.string("pass") ?? "",
        KernelName(layer.string("algorithm") ?? "").algorithm, ms(layer, "best_ms"), ms(layer, "median_ms"),
        percent(layer, "spread"),
        number(layer, "gflops", 1), number(layer, "percent_of_peak", 1), number(layer, "intensity", 1),
        layer.string("bound") ?? "",
      ])
    }
    let plot = RooflinePlot(file, layers)
    let image = try plot.map { (plot) throws(TesseraError) in
      ReportPage.Image(
        "Roofline plot: GFLOP/s over operations a byte, \(plot.points.count) points below the roofs of bandwidth and peak",
        svg: try gnuplot.svg(plot.script, height: RooflinePlot.height))
    }
    return ReportPage.Section(
      id: "layers", title: "Layers",
      notes: [
        "Numbers in the plot are rows of the table.",
        "Operations are the direct algorithm's; Winograd's needs fewer, and may be above the roofs.",
      ],
      parts: [ReportPage.Part(image: image, table: table)])
  }

  private func operations() -> ReportPage.Section? {
    let operations = file.records("operation")
    guard !operations.isEmpty else { return nil }
    var table = ReportPage.Table(["<operator", "<pass", "best ms", "spread", "GB/s", "<compared with", "% of it"])
    for entry in operations {
      table.add([
        entry.string("name") ?? "", entry.string("pass") ?? "", ms(entry, "best_ms"), percent(entry, "spread"),
        number(entry, "gigabytes_per_second", 1), entry.string("reference") ?? "",
        number(entry, "percent_of_bandwidth", 0),
      ])
    }
    return ReportPage.Section(id: "operators", title: "Operators", parts: [ReportPage.Part(table: table)])
  }

  private func trainedLayers() -> ReportPage.Section? {
    let layers = file.records("trained_layer")
    guard !layers.isEmpty else { return nil }
    var table = ReportPage.Table(["<layer", "<pass", "ms", "% of peak"])
    for layer in layers {
      table.add([
        layer.string("layer") ?? "", layer.string("pass") ?? "", ms(layer, "ms"), number(layer, "percent_of_peak", 1),
      ])
    }
    return ReportPage.Section(id: "training", title: "Training steps", parts: [ReportPage.Part(table: table)])
  }

  // MARK: Networks

  private func networks() throws(TesseraError) -> ReportPage.Section? {
    let networks = file.records("network")
    guard !networks.isEmpty else { return nil }
    var table = ReportPage.Table(
      [
        "<network", "<mode", "batch", "workers", "streams", "images/s", "best ms", "median", "99 %", "99.9 %", "max",
        "spread",
        "planned",
      ])
    for entry in networks {
      table.add([
        entry.string("network") ?? "", entry.string("mode") ?? "", number(entry, "batch", 0),
        number(entry, "workers", 0),
        number(entry, "streams", 0), entry.number("images_per_second").map(Format.grouped) ?? "", ms(entry, "best_ms"),
        ms(entry, "median_ms"), ms(entry, "p99_ms"), ms(entry, "p999_ms"), ms(entry, "max_ms"),
        percent(entry, "spread"),
        entry.number("planned_bytes").map { TopologyReport.size(Int($0)) } ?? "",
      ])
    }
    var parts = [ReportPage.Part(table: table)]
    if let plot = LatencyPlot(networks, label: Self.title) {
      parts.append(
        ReportPage.Part(
          heading: "Latency",
          image: ReportPage.Image(
            "Latency that a share of all calls takes at most",
            svg: try gnuplot.svg(plot.script, height: LatencyPlot.height))))
    }
    for (network, nodes) in profiles() { parts.append(try nodeBars(network, nodes)) }
    return ReportPage.Section(id: "networks", title: "Networks", parts: parts)
  }

  private static func title(_ entry: ResultFile.Entry) -> String {
    let streams = entry.number("streams").map { $0 > 1 ? ", \(Int($0)) streams" : "" } ?? ""
    return
      "\(entry.string("network") ?? "") \(entry.string("mode") ?? ""), batch \(number(entry, "batch", 0))\(streams)"
  }

  /// Nodes behind the network that they belong to.
  private func profiles() -> [(network: ResultFile.Entry, nodes: [ResultFile.Entry])] {
    var profiles: [(network: ResultFile.Entry, nodes: [ResultFile.Entry])] = []
    var network: ResultFile.Entry?
    for entry in file.entries {
      if entry.record == "network" { network = entry }
      guard entry.record == "node", let network else { continue }
      if profiles.last?.network.line != network.line { profiles.append((network, [])) }
      profiles[profiles.count - 1].nodes.append(entry)
    }
    return profiles
  }

  private func nodeBars(_ network: ResultFile.Entry, _ nodes: [ResultFile.Entry]) throws(TesseraError)
    -> ReportPage.Part
  {
    let timed = nodes.filter { ($0.number("ms") ?? 0) > 0 }.sorted { ($0.number("ms") ?? 0) > ($1.number("ms") ?? 0) }
    let total = timed.reduce(0) { $0 + ($1.number("ms") ?? 0) }
    var bars = timed.prefix(BarPlot.most).map {
      BarPlot.Bar(label: $0.string("node") ?? "", value: $0.number("ms") ?? 0)
    }
    let rest = timed.dropFirst(BarPlot.most)
    if !rest.isEmpty {
      bars.append(
        BarPlot.Bar(label: "\(rest.count) others", value: rest.reduce(0) { $0 + ($1.number("ms") ?? 0) }, colour: 5))
    }
    let plot = BarPlot(bars: bars, axis: "ms")
    return ReportPage.Part(
      heading: "Nodes of \(Self.title(network)): \(Format.milliseconds(total * 1e-3)) ms in \(timed.count)",
      image: ReportPage.Image(
        "Time of each node, the longest first", svg: try gnuplot.svg(plot.script, height: plot.height)))
  }

  private func scaling() throws(TesseraError) -> ReportPage.Section? {
    let entries = file.records("scaling")
    guard !entries.isEmpty else { return nil }
    let fields = ["network", "mode", "kind", "isa"]
    var groups: [(key: [String], entries: [ResultFile.Entry])] = []
    for entry in entries {
      let key = fields.map { entry.string($0) ?? "" }
      if let index = groups.firstIndex(where: { $0.key == key }) {
        groups[index].entries.append(entry)
      } else {
        groups.append((key, [entry]))
      }
    }
    var parts: [ReportPage.Part] = []
    for group in groups {
      var table = ReportPage.Table(
        ["workers", "batch", "best ms", "spread", "images/s", "efficiency %", "predicted images/s", "predicted %"])
      for entry in group.entries {
        func share(_ field: String) -> String { entry.number(field).map { Format.fixed(100 * $0, 0) } ?? "" }
        table.add([
          number(entry, "workers", 0), number(entry, "batch", 0), ms(entry, "best_ms"), percent(entry, "spread"),
          entry.number("images_per_second").map(Format.grouped) ?? "", share("efficiency"),
          entry.number("predicted_images_per_second").map(Format.grouped) ?? "", share("predicted_efficiency"),
        ])
      }
      let plot = ScalingPlot(group.entries)
      let image = try plot.map { (plot) throws(TesseraError) in
        ReportPage.Image(
          "Images a second over workers, measured and predicted",
          svg: try gnuplot.svg(plot.script, height: ScalingPlot.height))
      }
      parts.append(
        ReportPage.Part(
          heading: "\(group.key[0]) \(group.key[1]), \(group.key[2]) scaling", image: image, table: table))
    }
    return ReportPage.Section(
      id: "scaling", title: "Scaling",
      notes: ["Strong: the same batch for any number of workers. Weak: a batch that grows with them."], parts: parts)
  }

  private func load() throws(TesseraError) -> ReportPage.Section? {
    let entries = file.records("serve_load")
    guard !entries.isEmpty else { return nil }
    var table = ReportPage.Table(
      [
        "<network", "batch", "clients", "<neighbour", "offered/s", "done/s", "median ms", "99 %", "99.9 %", "max",
        "missed",
      ])
    for entry in entries {
      table.add([
        entry.string("network") ?? "", number(entry, "batch", 0), number(entry, "clients", 0),
        entry.fields["neighbour"] == .bool(true) ? "yes" : "no", number(entry, "offered_per_second", 0),
        number(entry, "completed_per_second", 0), ms(entry, "p50_ms"), ms(entry, "p99_ms"), ms(entry, "p999_ms"),
        ms(entry, "max_ms"), number(entry, "missed", 0),
      ])
    }
    let image: ReportPage.Image? =
      if let plot = LoadPlot(entries) {
        ReportPage.Image(
          "Latency over the load offered", svg: try gnuplot.svg(plot.script, height: LoadPlot.height))
      } else if let plot = LatencyPlot(
        entries,
        label: { entry in
          number(entry, "offered_per_second", 0) + " requests/s"
            + (entry.fields["neighbour"] == .bool(true) ? ", with a neighbour" : "")
        })
      {
        ReportPage.Image(
          "Latency that a share of all requests takes at most",
          svg: try gnuplot.svg(plot.script, height: LatencyPlot.height))
      } else { nil }
    return ReportPage.Section(
      id: "load", title: "Served load", notes: ["Requests come at random, whether the ones before are done or not."],
      parts: [ReportPage.Part(image: image, table: table)])
  }

  // MARK: Comparison

  private func comparison() throws(TesseraError) -> ReportPage.Section? {
    guard let other else { return nil }
    let comparison = Comparison(other, file)
    guard !comparison.pairs.isEmpty else {
      throw TesseraError(
        .invalidFile, at: other.path, expected: "a measurement that \(file.path) has, too", found: "none")
    }
    var summary = ReportPage.Table(["<of", "slower", "faster", "the same", "new/old time"])
    for row in comparison.summaries {
      summary.add([row.record, "\(row.slower)", "\(row.faster)", "\(row.same)", Format.fixed(row.ratio, 3)])
    }
    let pairs = comparison.pairs.sorted { $0.change > $1.change }
    var table = ReportPage.Table(["<measurement", "<figure", "before", "now", "change %", "noise %", "<verdict"])
    for pair in pairs where pair.verdict != .same || pair.isOtherResult {
      table.add(
        [
          "\(pair.record) \(pair.label)", pair.figure, Format.shortest(pair.old), Format.shortest(pair.new),
          Format.fixed(100 * pair.change, 1), Format.fixed(100 * pair.noise, 1),
          pair.verdict.rawValue + (pair.isOtherResult ? ", other result" : ""),
        ], mark: pair.verdict == .same ? nil : pair.verdict.rawValue)
    }
    // The largest differences, those that are faster at the bottom.
    let shown = pairs.sorted { abs($0.change) > abs($1.change) }.prefix(BarPlot.most).sorted { $0.change > $1.change }
    let plot = BarPlot(
      bars: shown.map { pair in
        BarPlot.Bar(
          label: "\(pair.record) \(pair.label)", value: 100 * pair.change, noise: 100 * pair.noise,
          colour: pair.verdict == .slower ? 2 : pair.verdict == .faster ? 3 : 6)
      }, axis: "% more time; grey: the noise")
    return ReportPage.Section(
      id: "comparison", title: "Comparison",
      notes: [
        "Against \(other.path). A difference counts if it is more than the spreads of both measurements together."
      ],
      parts: [
        ReportPage.Part(table: summary),
        ReportPage.Part(
          image: ReportPage.Image(
            "Changes in time, the slower first", svg: try gnuplot.svg(plot.script, height: plot.height)),
          table: table.rows.isEmpty ? nil : table),
      ])
  }

}

/// Numbers as cells of a page have them; nothing where a record has none.
private func number(_ entry: ResultFile.Entry, _ field: String, _ decimals: Int) -> String {
  entry.number(field).map { Format.fixed($0, decimals) } ?? ""
}

private func ms(_ entry: ResultFile.Entry, _ field: String) -> String {
  entry.number(field).map { Format.milliseconds($0 * 1e-3) } ?? ""
}

private func percent(_ entry: ResultFile.Entry, _ field: String) -> String {
  entry.number(field).map { Format.fixed(100 * $0, 1) + " %" } ?? ""
}
