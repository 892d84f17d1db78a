import ArgumentParser
import Foundation

/// How results are printed.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  /// Tables for people.
  case text
  /// JSON Lines: one object a line, the environment first.
  case json
  /// Comma-separated values: a header line for each kind of record, then one line for each of them.
  case csv

  /// What the name of a file asks for: nil where it says nothing.
  init?(fileName: String) {
    switch URL(fileURLWithPath: fileName).pathExtension.lowercased() {
    case "json", "jsonl", "ndjson": self = .json
    case "csv": self = .csv
    case "txt": self = .text
    default: return nil
    }
  }
}
