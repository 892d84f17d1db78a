/// Horizontal bars, the first at the top: where the time of a network goes, or what changed between two results.
struct BarPlot {
  struct Bar {
    let label: String
    let value: Double
    /// How far the value may be from the truth, drawn around zero; nil: not drawn.
    var noise: Double?
    /// Of the linetypes that all plots share.
    var colour = 1
  }

  let bars: [Bar]
  let axis: String

  /// More than this many are no picture any more.
  static let most = 30

  var height: Int { 90 + 20 * bars.count }

  var script: String {
    let rows = bars.enumerated().map { index, bar in
      [
        "\(bars.count - index)", Gnuplot.quoted(String(bar.label.suffix(44))), "\(bar.value)", "\(bar.noise ?? 0)",
        "\(bar.colour)",
      ]
    }
    let noise =
      bars.contains { $0.noise != nil }
      ? "$bars using (0):1:(-$4):4:($1-0.4):($1+0.4) with boxxyerror fc rgb \"#dddddd\" notitle, " : ""
    return Gnuplot.data("bars", rows) + """
      set style fill solid 1 noborder
      set xlabel \(Gnuplot.quoted(axis))
      set yrange [0.3:\(Double(bars.count) + 0.7)]
      set offsets 0, 0, 0, 0
      set ytics scale 0
      set grid noytics
      unset key
      plot \(noise)$bars using (0):1:(0):3:($1-0.32):($1+0.32):5 with boxxyerror lc variable notitle, \\
        $bars using (0):1:ytic(2) with points ps 0 notitle

      """
  }
}
