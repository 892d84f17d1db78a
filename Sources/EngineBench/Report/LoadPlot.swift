/// Latency over the load that clients offer.
struct LoadPlot {
  let entries: [ResultFile.Entry]

  static let height = 420

  /// Nil for fewer than two loads.
  init?(_ entries: [ResultFile.Entry]) {
    self.entries = entries.filter { $0.number("offered_per_second") != nil }
    guard self.entries.count > 1 else { return nil }
  }

  var script: String {
    var (data, plots) = ("", [String]())
    for (index, neighbour) in [false, true].enumerated() {
      let own = entries.filter { ($0.fields["neighbour"] == .bool(true)) == neighbour }
        .sorted { ($0.number("offered_per_second") ?? 0) < ($1.number("offered_per_second") ?? 0) }
      guard !own.isEmpty else { continue }
      let fields = ["offered_per_second", "p50_ms", "p99_ms", "p999_ms"]
      data += Gnuplot.data(
        "load\(index)", own.map { entry in fields.map { entry.number($0).map { "\($0)" } ?? "NaN" } })
      for (column, name) in ["median", "99 %", "99.9 %"].enumerated() {
        plots.append(
          "$load\(index) using 1:\(column + 2) with linespoints lt \(column + 1) dt \(neighbour ? 3 : 1) title "
            + Gnuplot.quoted(name + (neighbour ? ", with a neighbour" : "")))
      }
    }
    return data + """
      set xlabel "requests a second offered"
      set ylabel "ms"
      set logscale y
      set xrange [0:*]
      plot \(plots.joined(separator: ", \\\n  "))

      """
  }
}
