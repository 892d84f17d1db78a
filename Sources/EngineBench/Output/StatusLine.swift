import Foundation
import TesseraRuntime

#if canImport(Glibc)
  import Glibc
#endif

/// What people see of a running command on standard error: notes, and how far it is.
///
/// On a terminal progress is a line that is drawn over; in a log it is a plain line now and then.
final class StatusLine: Sendable {
  /// A terminal's 80 columns but one: some break the line after the last.
  static let columns = 79

  private struct State {
    var isDrawn = false
    var lastDrawn: Date
  }

  private let isQuiet: Bool
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let state = Lock(State(lastDrawn: .now))

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  /// One line that stays.
  func note(_ line: String) {
    guard !isQuiet else { return }
    state.withLock {
      Self.clear(&$0)
      Self.write(line + "\n")
    }
  }

  /// Removes the bar while `body` prints something else, which may go to the same terminal.
  func withoutBar<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
    try state.withLock { (state) throws(Failure) in
      Self.clear(&state)
      try body()
    }
  }

  /// Draws how far something is, at most twenty times a second; in a log every ten seconds.
  func show(_ fraction: Double, _ text: String) {
    guard !isQuiet else { return }
    state.withLock {
      guard Date.now.timeIntervalSince($0.lastDrawn) > (isTerminal ? 0.05 : 10) else { return }
      $0.lastDrawn = .now
      if isTerminal { $0.isDrawn = true }
      Self.write(isTerminal ? "\r\u{1B}[K" + Self.bar(fraction, text) : text + "\n")
    }
  }

  /// Removes the bar.
  func clear() { state.withLock { Self.clear(&$0) } }

  private static func clear(_ state: inout State) {
    if state.isDrawn { write("\r\u{1B}[K") }
    state.isDrawn = false
  }

  /// A bar as long as the text leaves room for, and the text.
  static func bar(_ fraction: Double, _ text: String) -> String {
    let width = min(20, columns - text.count - 3)
    guard width > 0 else { return String(text.prefix(columns)) }
    let full = Int((min(1, max(0, fraction)) * Double(width)).rounded())
    return "[" + String(repeating: "#", count: full) + String(repeating: ".", count: width - full) + "] " + text
  }

  private static func write(_ text: String) {
    FileHandle.standardError.write(Data(text.utf8))
  }
}

/// How far a number of steps is, and how long the rest will take at that rate.
struct Progress {
  private let title: String
  private let total: Int
  private let line: StatusLine
  private let start = ContinuousClock.now
  private var done = 0

  init(_ title: String, of total: Int, on line: StatusLine) {
    (self.title, self.total, self.line) = (title, total, line)
  }

  /// Another step begins.
  mutating func begin(_ step: String) {
    show("\(title) \(done + 1)/\(total)  \(step)", Double(done) / Double(max(1, total)))
    begin()
  }

  /// Another step begins, which `update` will name.
  mutating func begin() { done += 1 }

  /// The step that began is so far.
  func update(_ fraction: Double, _ text: String) {
    show(text, (Double(max(0, done - 1)) + fraction) / Double(max(1, total)))
  }

  func end() { line.clear() }

  private func show(_ text: String, _ fraction: Double) {
    let elapsed = (ContinuousClock.now - start) / .seconds(1)
    // The first hundredth says too little of the rest.
    let rest = fraction > 0.01 ? "  \(Format.duration(elapsed * (1 - fraction) / fraction)) left" : ""
    line.show(fraction, text + rest)
  }
}
