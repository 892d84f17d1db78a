import Foundation

/// Prints a line at once, also into a pipe: a long benchmark is read while it runs.
func printLine(_ line: String) {
  FileHandle.standardOutput.write(Data((line + "\n").utf8))
}

/// One line for people who read a table that something else is missing from.
func printNote(_ line: String) {
  FileHandle.standardError.write(Data((line + "\n").utf8))
}

/// Prints an object as one line of JSON, its keys in alphabetical order.
func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  printLine(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// Prints objects as lines of comma-separated values below a line that names them.
struct CSVPrinter {
  private var columns: [String]?

  /// The columns are the keys of the first object in alphabetical order; later ones have the same.
  mutating func print(_ value: some Encodable) throws {
    let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(value)) as? [String: Any] ?? [:]
    let columns = self.columns ?? object.keys.sorted()
    if self.columns == nil { printLine(columns.joined(separator: ",")) }
    self.columns = columns
    printLine(columns.map { Self.cell(object[$0]) }.joined(separator: ","))
  }

  /// Quoted where a comma or a quote would be read as the file's own (RFC 4180).
  private static func cell(_ value: Any?) -> String {
    let text = value.map { "\($0)" } ?? ""
    return text.contains { $0 == "," || $0 == "\"" || $0.isNewline }
      ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
  }
}
