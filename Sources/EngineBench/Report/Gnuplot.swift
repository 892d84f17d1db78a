import Foundation
import Tessera

/// Draws plots with gnuplot, which a system has from its distribution.
struct Gnuplot {
  private let executable: URL

  /// - Throws: ``TesseraError/Code/missingProgram`` that says how to install it.
  init() throws(TesseraError) {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    let found = folders.map { URL(fileURLWithPath: "\($0)/gnuplot") }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    guard let found else {
      throw TesseraError(
        .missingProgram, at: "gnuplot",
        expected: "the program, by `apt-get install gnuplot-nox` or `brew install gnuplot`", found: "none in PATH")
    }
    executable = found
  }

  /// The picture that a script draws, as an SVG document.
  /// - Parameter height: in pixels; all plots are as wide.
  /// - Throws: ``TesseraError/Code/unsupported`` with what gnuplot said, if it doesn't understand the script.
  func svg(_ script: String, height: Int) throws(TesseraError) -> String {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("tessera-\(UUID().uuidString).gnuplot")
    defer { try? FileManager.default.removeItem(at: file) }
    let process = Process()
    let (output, errors) = (Pipe(), Pipe())
    process.executableURL = executable
    process.arguments = [file.path]
    process.standardOutput = output
    process.standardError = errors
    do {
      try Data((Self.settings(height: height) + script).utf8).write(to: file)
      try process.run()
    } catch {
      throw TesseraError(
        .unwritableOutput, at: file.path, expected: "a script that gnuplot runs", found: error.localizedDescription)
    }
    let svg = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0, svg.contains("</svg>") else {
      let words = message.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      throw TesseraError(.unsupported, at: "gnuplot", expected: "version 5 or later", found: words)
    }
    return svg
  }

  /// What all plots have alike. Colours are Okabe and Ito's, which the colour-blind tell apart.
  private static func settings(height: Int) -> String {
    """
    set terminal svg size 960,\(height) noenhanced font "sans-serif,13" background "#ffffff"
    set border 3 lc rgb "#555555"
    set tics nomirror textcolor rgb "#222222"
    set grid lc rgb "#dddddd" lw 0.7
    set key outside right top samplen 2
    set linetype 1 lc rgb "#0072b2" lw 2 pt 7
    set linetype 2 lc rgb "#d55e00" lw 2 pt 5
    set linetype 3 lc rgb "#009e73" lw 2 pt 9
    set linetype 4 lc rgb "#cc79a7" lw 2 pt 11
    set linetype 5 lc rgb "#e69f00" lw 2 pt 13
    set linetype 6 lc rgb "#56b4e9" lw 2 pt 4
    set linetype cycle 6
    set encoding utf8

    """
  }

  /// A text between quotation marks.
  static func quoted(_ text: String) -> String {
    "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }

  /// 1, 2 and 5 of each power of ten, for logarithmic axes.
  static func tics(from least: Double, to most: Double) -> String {
    let decades = sequence(first: 1e-6) { $0 * 10 }.prefix { $0 <= most }
    let tics = decades.flatMap { decade in [1, 2, 5].map { $0 * decade } }.filter { $0 >= least && $0 <= most }
    return "(" + tics.map { "\"\(Format.shortest($0))\" \($0)" }.joined(separator: ", ") + ")"
  }

  /// Rows by a name that a script can use: texts have to be quoted before.
  static func data(_ name: String, _ rows: [[String]]) -> String {
    "$\(name) << EOD\n" + rows.map { $0.joined(separator: " ") + "\n" }.joined() + "EOD\n"
  }
}
