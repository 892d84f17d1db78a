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
      """
        + "\n\n" + examples("conformance onnx/backend/test/data/node"))

  @Argument(help: "Tests, or folders of them.")
  var directories: [String]

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @Flag(help: "Print a table of operators in Markdown in place of the tests.")
  var table = false

  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    guard !directories.isEmpty else { throw ValidationError("expected a folder of tests, found none") }
  }

  func run() throws {
    let options = try machine.programOptions(numerics: .exact)
    let workers = try machine.resolvedWorkers()
    let tests = try directories.flatMap { (path) throws(TesseraError) in try ConformanceTest.tests(in: path) }
    try output.write(machine, measures: false) { writer in
      var report = ConformanceReport()
      var progress = writer.progress("tests", of: tests.count)
      for test in tests {
        progress.begin(test.name)
        let result = test.run(options: options, workers: workers)
        report.add(result)
        try writer.write(result, text: table ? nil : ConformanceReport.line(result))
        try Interruption.check()
      }
      try writer.text(table ? report.table : report.summary)
      if report.failed > 0 { throw ExitStatus.checkFailed.exitCode }
      if report.unsupported > 0 { throw ExitStatus.onlyUnsupported.exitCode }
    }
  }
}
