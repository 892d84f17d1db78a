import ArgumentParser
import Tessera
import TesseraKernels

struct ConformanceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "conformance", abstract: "Runs tests in the format of the ONNX backend.",
    discussion: """
      DIR is a test (model.onnx, test_data_set_*/input_*.pb and output_*.pb) or a folder of tests. Floats pass at \
      |y - e| <= 1e-7 + 1e-3 |e|, those of models with more than ten nodes at |y - e| <= 1e-4 max |e|; integers, \
      shapes, NaN and infinities exactly. Inputs that shapes depend on are fixed to the test's values before the model \
      is compiled. Exits with 0 if every test passed, 1 if one failed, 3 if some were only unsupported.
      """)

  @Argument(help: "Tests, or folders of them.")
  var directories: [String]

  @OptionGroup var machine: MachineOptions

  @Flag(help: "Print a table of operators in Markdown in place of the tests.")
  var table = false

  @Option(help: "text, json or csv.")
  var format: OutputFormat = .text

  func validate() throws {
    guard !directories.isEmpty else { throw ValidationError("expected a folder of tests, found none") }
  }

  func run() throws {
    let options = try machine.programOptions(numerics: .exact)
    let workers = try machine.resolvedWorkers()
    var report = ConformanceReport()
    var csv = CSVPrinter()
    for directory in directories {
      for test in try ConformanceTest.tests(in: directory) {
        let result = test.run(options: options, workers: workers)
        report.add(result)
        if table { continue }
        switch format {
        case .json: try printJSON(result)
        case .csv: try csv.print(result)
        case .text:
          printLine("\(Format.left(result.status.rawValue, 11)) \(result.test)")
          if result.status != .passed { printLine("            \(result.reason)") }
        }
      }
    }
    if table { printLine(report.table) } else if format == .text { printLine(report.summary) }
    if report.failed > 0 { throw ExitCode(1) }
    if report.unsupported > 0 { throw ExitCode(3) }
  }
}
