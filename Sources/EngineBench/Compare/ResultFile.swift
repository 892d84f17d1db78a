import Foundation
import Tessera

/// What `--format json` wrote: records, a line each. Files may be joined; each environment holds for the records below it.
struct ResultFile {
  /// A line of the file.
  struct Entry {
    let line: Int
    /// As in "layer".
    let record: String
    let fields: [String: JSONValue]

    func number(_ field: String) -> Double? {
      guard case .number(let value) = fields[field] else { return nil }
      return value
    }

    func string(_ field: String) -> String? {
      guard case .string(let value) = fields[field] else { return nil }
      return value
    }

    func strings(_ field: String) -> [String] {
      guard case .array(let values) = fields[field] else { return [] }
      return values.map(\.cell)
    }
  }

  let path: String
  let entries: [Entry]

  /// - Throws: ``TesseraError/Code/notFound`` or ``TesseraError/Code/invalidFile`` with file and line.
  init(path: String) throws(TesseraError) {
    self.path = path
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw TesseraError(
        FileManager.default.fileExists(atPath: path) ? .invalidFile : .notFound, at: path,
        expected: "results that --format json printed", found: error.localizedDescription)
    }
    var entries: [Entry] = []
    let lines = String(decoding: data, as: UTF8.self).split(
      omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() where !line.allSatisfy(\.isWhitespace) {
      entries.append(try Self.entry(line, index + 1, at: "\(path):\(index + 1)"))
    }
    guard !entries.isEmpty else {
      throw TesseraError(
        .invalidFile, at: path, expected: "results that --format json printed", found: "an empty file")
    }
    self.entries = entries
  }

  private static func entry(_ text: Substring, _ line: Int, at location: String) throws(TesseraError) -> Entry {
    let fields = try JSONLines.object(text, at: location)
    let version = fields[JSONLines.versionKey]
    guard version == .number(Double(JSONLines.schemaVersion)) else {
      throw TesseraError(
        .invalidFile, at: location, expected: "\(JSONLines.versionKey) \(JSONLines.schemaVersion)",
        found: version?.cell ?? "none")
    }
    guard case .string(let record) = fields[JSONLines.recordKey] else {
      throw TesseraError(.invalidFile, at: location, expected: "the name of a record", found: "none")
    }
    return Entry(line: line, record: record, fields: fields)
  }

  func records(_ name: String) -> [Entry] { entries.filter { $0.record == name } }
}
