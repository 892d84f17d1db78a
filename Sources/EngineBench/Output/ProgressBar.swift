import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// A line of progress that is drawn over on a terminal; elsewhere only lines that are finished are printed.
struct ProgressBar {
  private let isTerminal = isatty(STDOUT_FILENO) == 1
  private var lastDrawn: Date = .distantPast

  /// A terminal's 80 columns but one: some break the line after the last.
  static let columns = 79

  /// Draws `fraction` of a bar and the text after it, at most twenty times a second.
  mutating func update(_ fraction: Double, _ text: String) {
    guard isTerminal, Date().timeIntervalSince(lastDrawn) > 0.05 else { return }
    lastDrawn = Date()
    Self.write("\r\u{1B}[K" + Self.line(fraction, text))
  }

  /// The bar, as long as the text leaves room, and the text.
  static func line(_ fraction: Double, _ text: String) -> String {
    let width = min(20, columns - text.count - 3)
    guard width > 0 else { return String(text.prefix(columns)) }
    let full = Int((fraction * Double(width)).rounded())
    return "[" + String(repeating: "#", count: full) + String(repeating: ".", count: width - full) + "] " + text
  }

  /// Replaces the bar by a line that stays.
  mutating func finish(_ line: String) {
    Self.write((isTerminal ? "\r\u{1B}[K" : "") + line + "\n")
  }

  private static func write(_ text: String) {
    FileHandle.standardOutput.write(Data(text.utf8))
  }
}
