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
