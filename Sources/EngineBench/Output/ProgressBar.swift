import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// A line of progress that is drawn over on a terminal; elsewhere only lines that are finished are printed.
struct ProgressBar {
  private let isTerminal = isatty(STDOUT_FILENO) == 1
  private var lastDrawn: Date = .distantPast

  /// Draws `fraction` of a bar and the text after it, at most twenty times a second.
  mutating func update(_ fraction: Double, _ text: String) {
    guard isTerminal, Date().timeIntervalSince(lastDrawn) > 0.05 else { return }
    lastDrawn = Date()
    let width = 20
    let full = Int((fraction * Double(width)).rounded())
    let bar = String(repeating: "#", count: full) + String(repeating: ".", count: width - full)
    Self.write("\r\u{1B}[K[\(bar)] \(text.prefix(56))")
  }

  /// Replaces the bar by a line that stays.
  mutating func finish(_ line: String) {
    Self.write((isTerminal ? "\r\u{1B}[K" : "") + line + "\n")
  }

  private static func write(_ text: String) {
    FileHandle.standardOutput.write(Data(text.utf8))
  }
}
