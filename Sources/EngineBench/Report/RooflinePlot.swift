/// Layers between the roofs of a machine: what bandwidths and the multiply-add peak let a layer of so many operations a byte
/// reach (Williams, Waterman and Patterson, "Roofline", 2009).
struct RooflinePlot {
  /// One pass of a layer.
  struct Point {
    /// Of its row in the table.
    let number: Int
    let pass: String
    let intensity: Double
    let gflops: Double
  }

  let points: [Point]
  let peak: Double
  /// 10^9 bytes a second of each level that was measured.
  let bandwidths: [(level: String, gigabytesPerSecond: Double)]

  static let height = 560

  /// Nil where there is no layer, or no peak to compare it with.
  init?(_ file: ResultFile, _ layers: [ResultFile.Entry]) {
    points = layers.enumerated().compactMap { index, layer in
      guard let intensity = layer.number("intensity"), let gflops = layer.number("gflops"), intensity > 0, gflops > 0
      else { return nil }
      return Point(number: index + 1, pass: layer.string("pass") ?? "", intensity: intensity, gflops: gflops)
    }
    let isa = layers.first?.string("isa")
    let workers = layers.first?.number("workers")
    let peaks = file.records("peak").filter { $0.string("isa") == isa && $0.number("workers") == workers }
    func best(_ entries: [ResultFile.Entry]) -> Double? { entries.compactMap { $0.number("value") }.max() }
    guard !points.isEmpty, let peak = best(peaks.filter { $0.string("measure") == "multiply_add" }) else { return nil }
    self.peak = peak
    bandwidths = ["L1", "L2", "L3", "memory"].compactMap { level in
      best(peaks.filter { $0.string("measure") == "read" && $0.string("level") == level }).map { (level, $0) }
    }
  }

  var script: String {
    let x = points.map(\.intensity)
    let (least, most) = (min(0.5, (x.min() ?? 1) / 2), max(100, (x.max() ?? 1) * 2))
    // Winograd's algorithm needs fewer operations than are counted.
    let highest = 1.4 * max(peak, points.map(\.gflops).max() ?? 0)
    let lowest = (points.map(\.gflops).min() ?? 1) / 2
    var (data, curves) = ("", [String]())
    for (index, bandwidth) in bandwidths.enumerated() {
      let name = "\(bandwidth.level), \(Format.fixed(bandwidth.gigabytesPerSecond, 0)) GB/s"
      curves.append(
        "roof(x, \(bandwidth.gigabytesPerSecond)) with lines lc rgb \"#888888\" dt \(index + 1) title \(Gnuplot.quoted(name))"
      )
    }
    curves.append("\(peak) with lines lc rgb \"#000000\" title \"peak, \(Format.fixed(peak, 0)) GFLOP/s\"")
    var passes: [String] = []
    for point in points where !passes.contains(point.pass) { passes.append(point.pass) }
    for (index, pass) in passes.enumerated() {
      let own = points.filter { $0.pass == pass }
      data += Gnuplot.data("pass\(index)", own.map { ["\($0.intensity)", "\($0.gflops)", "\($0.number)"] })
      curves.append("$pass\(index) using 1:2 with points lt \(index % 3 + 1) ps 0.9 title \(Gnuplot.quoted(pass))")
      curves.append(
        "$pass\(index) using 1:2:3 with labels offset 0.9,0.5 font \",9\" textcolor rgb \"#444444\" notitle")
    }
    return data + """
      roof(x, b) = (x * b < \(peak) ? x * b : \(peak))
      set logscale xy
      set samples 400
      set xtics \(Gnuplot.tics(from: least, to: most))
      set ytics \(Gnuplot.tics(from: lowest, to: highest))
      set xlabel "operations a byte"
      set ylabel "GFLOP/s"
      set xrange [\(least):\(most)]
      set yrange [\(lowest):\(highest)]
      plot \(curves.joined(separator: ", \\\n  "))

      """
  }
}
