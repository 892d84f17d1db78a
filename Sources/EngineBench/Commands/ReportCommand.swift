import ArgumentParser
import Foundation
import Tessera

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Makes a page of results: tables and plots in one file of HTML.",
    discussion: """
      RESULTS is what other commands printed with --format json, or several such files joined by cat: layers become a \
      roofline plot, networks distributions of latency and the time of each node, scaling its curves. Joined files share \
      one machine. OTHER are results from before, to compare with. DIR/index.html holds all it shows and fetches nothing. \
      gnuplot draws the plots (apt-get install gnuplot-nox).
      """
        + "\n\n" + examples("report results.json --out page", "report after.json before.json --out page"))

  @Argument(help: ArgumentHelp("Results to show.", valueName: "results"), completion: .file())
  var results: String

  @Argument(help: ArgumentHelp("Results from before.", valueName: "other"), completion: .file())
  var other: String?

  @Option(
    help: ArgumentHelp("The folder to write index.html to, made if need be.", valueName: "dir"), completion: .directory)
  var out: String

  @OptionGroup(title: "Output") var output: FormatOptions

  func run() throws {
    let gnuplot = try Gnuplot()
    let file = try ResultFile(path: results)
    let other = try other.map { (path) throws(TesseraError) in try ResultFile(path: path) }
    let page = try ReportBuilder(file, comparedWith: other, gnuplot: gnuplot).page()
    let folder = URL(fileURLWithPath: out)
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw TesseraError(
        .unwritableOutput, at: out, expected: "a folder that can be written to", found: error.localizedDescription)
    }
    let path = out.hasSuffix("/") ? "\(out)index.html" : "\(out)/index.html"
    try output.write(nil, measures: false) { writer in
      let html = try OutputFile(path: path)
      do {
        try html.write(page.html())
        try html.commit()
      } catch {
        html.discard()
        throw error
      }
      let plots = page.sections.flatMap(\.parts).count { $0.image != nil }
      try writer.write(
        Written(path: path, sections: page.sections.map(\.id), plots: plots),
        text: "\(path): \(page.sections.count) sections, \(plots) plots")
    }
  }

  /// What was made.
  private struct Written: Record {
    static let recordName = "report"

    let path: String
    let sections: [String]
    let plots: Int
  }
}
