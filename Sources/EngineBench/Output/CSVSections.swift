/// Records as comma-separated values (RFC 4180): for each run of records of one kind a line that names the columns, and a
/// line for each record. An empty line parts one kind from the next.
struct CSVSections {
  private var record: JSONValue?
  private var columns: [String] = []

  /// The lines that print an object. Columns are the keys of the first object of a section in alphabetical order; an object
  /// with other keys begins a new one.
  mutating func lines(_ object: [String: JSONValue]) -> [String] {
    var lines: [String] = []
    if object[JSONLines.recordKey] != record || !Set(object.keys).isSubset(of: columns) {
      if record != nil { lines.append("") }
      record = object[JSONLines.recordKey]
      columns = object.keys.sorted()
      lines.append(columns.joined(separator: ","))
    }
    lines.append(columns.map { Self.quoted(object[$0]?.cell ?? "") }.joined(separator: ","))
    return lines
  }

  /// In quotes where a comma or a quote would be read as the file's own.
  private static func quoted(_ text: String) -> String {
    text.contains { $0 == "," || $0 == "\"" || $0.isNewline }
      ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
  }
}
