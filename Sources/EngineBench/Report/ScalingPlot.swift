/// Images a second over workers: measured, predicted, and as it would be if workers lost nothing.
struct ScalingPlot {
  struct Row {
    let workers: Double
    let measured: Double
    let predicted: Double?
  }

  let rows: [Row]

  static let height = 400

  /// Nil for fewer than two numbers of workers.
  init?(_ entries: [ResultFile.Entry]) {
    rows = entries.compactMap { entry in
      guard let workers = entry.number("workers"), let rate = entry.number("images_per_second") else { return nil }
      return Row(workers: workers, measured: rate, predicted: entry.number("predicted_images_per_second"))
    }.sorted { $0.workers < $1.workers }
    guard rows.count > 1 else { return nil }
  }

  var script: String {
    let predicted = rows.compactMap { row in row.predicted.map { ["\(row.workers)", "\($0)"] } }
    let ideal = rows.first.map { $0.measured / $0.workers } ?? 0
    let most = rows.last?.workers ?? 1
    return Gnuplot.data("measured", rows.map { ["\($0.workers)", "\($0.measured)"] })
      + Gnuplot.data("predicted", predicted) + """
        set xlabel "workers"
        set ylabel "images/s"
        set xrange [0:\(most * 1.05)]
        set yrange [0:*]
        \(most <= 16 ? "set xtics 1" : "")
        plot \(ideal) * x with lines lc rgb "#999999" dt 2 lw 1 title "without loss", \\
          \(predicted.isEmpty ? "" : "$predicted using 1:2 with linespoints lt 2 dt 4 title \"predicted\", ")\\
          $measured using 1:2 with linespoints lt 1 title "measured"

        """
  }
}
