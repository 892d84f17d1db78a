import ArgumentParser
import Foundation
import Tessera
import TesseraRuntime

#if canImport(Glibc)
  import Glibc
#endif

/// Takes the results of a command and prints them in the format that was asked for, each at once: a long benchmark is read
/// while it runs.
final class ResultWriter: Sendable {
  private struct State {
    var csv = CSVSections()
    var isFinished = false
  }

  let format: OutputFormat
  private let file: OutputFile
  private let line: StatusLine
  private let state = Lock(State())

  /// - Throws: ``TesseraError/Code/unwritableOutput``.
  init(format: OutputFormat, to path: String?, isQuiet: Bool) throws(TesseraError) {
    self.format = format
    file = try path.map { (path) throws(TesseraError) in try OutputFile(path: path) } ?? .standardOutput
    line = StatusLine(isQuiet: isQuiet)
  }

  // MARK: Results

  /// Prints a result.
  /// - Parameters:
  ///   - record: what json and csv print.
  ///   - text: what text prints instead; nil: nothing.
  func write(_ record: some Record, text: @autoclosure () -> String? = nil) throws(TesseraError) {
    switch format {
    case .text: if let text = text() { try self.text(text) }
    case .json: try print([JSONLines.line(record)])
    case .csv:
      let object = try JSONLines.object(JSONLines.line(record), at: type(of: record).recordName)
      try print { state in state.csv.lines(object) }
    }
  }

  /// Prints lines that are no record: headings, tables of what was written before. Other formats have no use for them.
  func text(_ lines: @autoclosure () -> String) throws(TesseraError) {
    if format == .text { try print([lines()]) }
  }

  private func print(_ lines: [String]) throws(TesseraError) { try print { _ in lines } }

  private func print(_ lines: (inout State) -> [String]) throws(TesseraError) {
    try state.withLock { (state) throws(TesseraError) in
      guard !state.isFinished else { return }
      let text = lines(&state).map { "\($0)\n" }.joined()
      try line.withoutBar { () throws(TesseraError) in try file.write(text) }
    }
  }

  // MARK: What people see while they wait

  /// One line on standard error.
  func note(_ text: String) { line.note(text) }

  /// A bar over so many steps.
  func progress(_ title: String, of total: Int) -> Progress { Progress(title, of: total, on: line) }

  // MARK: The end

  /// Everything was written; a file gets its name.
  func commit() throws(TesseraError) {
    line.clear()
    guard finish() else { return }
    try file.commit()
  }

  /// Something went wrong: of a file nothing stays.
  func discard() {
    line.clear()
    if finish() { file.discard() }
  }

  /// What was written until now is all there is: it is marked, and a file gets its name.
  func commitInterrupted() {
    // Whether that can be written or not, the command ends.
    try? write(Interrupted(), text: "interrupted")
    try? commit()
  }

  /// True for the first caller: a signal may come at the end.
  private func finish() -> Bool {
    state.withLock { state in
      let isFirst = !state.isFinished
      state.isFinished = true
      return isFirst
    }
  }

  /// The last record of a command that was called off.
  private struct Interrupted: Record {
    static let recordName = "interrupted"
  }
}

extension ResultWriter {
  /// Runs a command that writes here, to its end or until a signal.
  /// - Throws: what `body` throws, and ``ExitStatus/interrupted`` in place of it after a signal.
  func run(_ body: () throws -> Void) throws {
    Interruption.watch {
      self.commitInterrupted()
      _exit(Interruption.status.rawValue)
    }
    do {
      try body()
    } catch let code as ExitCode where !Interruption.isRequested {
      // A check that failed is a result.
      try commit()
      throw code
    } catch  where !Interruption.isRequested {
      discard()
      throw error
    } catch {}
    guard !Interruption.isRequested else {
      commitInterrupted()
      throw Interruption.status.exitCode
    }
    try commit()
  }
}
