/// How long all but the slowest of many calls take: latency over percentiles, with ever more room for the last ones.
struct LatencyPlot {
  struct Curve {
    let label: String
    /// Calls in (0, 1) and the milliseconds that so many take at most, ascending.
    let points: [(share: Double, ms: Double)]
  }

  let curves: [Curve]

  static let height = 440

  /// Nil where no entry has a distribution.
  /// - Parameter label: how an entry is called.
  init?(_ entries: [ResultFile.Entry], label: (ResultFile.Entry) -> String) {
    curves = entries.compactMap { entry in
      let points = Self.distribution(entry) ?? Self.percentiles(entry)
      return points.isEmpty ? nil : Curve(label: label(entry), points: points)
    }
    guard !curves.isEmpty else { return nil }
  }

  /// Of every latency that was recorded.
  private static func distribution(_ entry: ResultFile.Entry) -> [(share: Double, ms: Double)]? {
    guard case .array(let rows) = entry.fields["latency_histogram"], !rows.isEmpty else { return nil }
    let pairs = rows.compactMap { row -> (ms: Double, count: Double)? in
      guard case .array(let cells) = row, cells.count == 2, case .number(let ms) = cells[0],
        case .number(let count) = cells[1]
      else { return nil }
      return (ms, count)
    }
    let total = pairs.reduce(0) { $0 + $1.count }
    var below = 0.0
    return pairs.compactMap { pair in
      below += pair.count
      // The last has no place on an axis that never comes to its end: half of a call is beyond it.
      let share = min(below, total - 0.5) / total
      return share > 0 ? (share, pair.ms) : nil
    }
  }

  /// Of what a record says anyway.
  private static func percentiles(_ entry: ResultFile.Entry) -> [(share: Double, ms: Double)] {
    [(0.5, "p50_ms"), (0.5, "median_ms"), (0.9, "p90_ms"), (0.99, "p99_ms"), (0.999, "p999_ms")].compactMap {
      share, field in
      entry.number(field).map { (share, $0) }
    }
  }

  var script: String {
    var (data, plots) = ("", [String]())
    for (index, curve) in curves.enumerated() {
      data += Gnuplot.data("curve\(index)", curve.points.map { ["\(1 / (1 - $0.share))", "\($0.ms)"] })
      plots.append("$curve\(index) using 1:2 with lines title \(Gnuplot.quoted(curve.label))")
    }
    // A percent sign begins a format, unless there are two.
    let tics = [(2, "50"), (10, "90"), (100, "99"), (1000, "99.9"), (10_000, "99.99"), (100_000, "99.999")]
    let times = curves.flatMap(\.points).map(\.ms)
    let most = curves.flatMap(\.points).map { 1 / (1 - $0.share) }.max() ?? 10
    return data + """
      set logscale xy
      set xlabel "calls"
      set ylabel "ms at most"
      set ytics \(Gnuplot.tics(from: (times.min() ?? 1) / 1.2, to: (times.max() ?? 1) * 1.2))
      set yrange [\((times.min() ?? 1) / 1.2):\((times.max() ?? 1) * 1.2)]
      set xrange [1:\(max(10, most * 1.2))]
      set xtics (\(tics.map { "\"\($0.1) %%\" \($0.0)" }.joined(separator: ", ")))
      plot \(plots.joined(separator: ", \\\n  "))

      """
  }
}
