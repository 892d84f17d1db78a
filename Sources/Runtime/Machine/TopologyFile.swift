import TesseraGraph

/// What is checked of an XML topology before hwloc reads it: version 2.9 follows a null pointer where an object lacks one
/// of its sets, and its refusals don't say what is wrong.
enum TopologyFile {
  private static let sets: [Substring] = ["cpuset", "complete_cpuset", "nodeset", "complete_nodeset"]
  /// Objects with processors or memory; devices and annotations have no sets.
  private static let typesWithoutSets: Set<Substring> = ["Misc", "Bridge", "PCIDev", "OSDev"]

  /// - Throws: ``TesseraError/Code/invalidFile`` with the line of the object at fault.
  static func check(_ text: String, path: String) throws(TesseraError) {
    var depth = 0
    var processors: Set<Substring> = []
    var line = 1
    for part in text.split(separator: "<", omittingEmptySubsequences: false) {
      defer { line += part.utf8.count { $0 == UInt8(ascii: "\n") } }
      if part.hasPrefix("/object>") { depth -= 1 }
      guard part.hasPrefix("object ") else { continue }
      func error(_ expected: String, _ found: String) -> TesseraError {
        TesseraError(.invalidFile, at: "\(path):\(line)", expected: expected, found: found)
      }
      guard let end = part.lastIndex(of: ">"), let attributes = attributes(part[..<end].dropFirst(6)) else {
        throw error("attributes as in name=\"value\"", "\"<\(part.prefix(40))\"")
      }
      guard let type = attributes["type"] else { throw error("an object with a type", "none") }
      guard (depth == 0) == (type == "Machine") else {
        throw error("one Machine around all other objects", "\(type) at depth \(depth)")
      }
      if !typesWithoutSets.contains(type) {
        for name in sets {
          let set = attributes[name] ?? ""
          guard isSet(set) else {
            throw error("\(type) with a \(name) of hexadecimal words", set.isEmpty ? "none" : "\"\(set.prefix(40))\"")
          }
        }
        if let processor = attributes["cpuset"], type == "PU" {
          guard isSingle(processor), processors.insert(processor).inserted else {
            throw error("a PU whose cpuset is one processor of its own", "\"\(processor.prefix(40))\"")
          }
        }
      }
      if part[..<end].last != "/" { depth += 1 }
    }
    guard depth == 0, !processors.isEmpty else {
      throw TesseraError(
        .invalidFile, at: path, expected: "a topology in hwloc's XML format, as `lstopo file.xml` writes it",
        found: text.isEmpty ? "an empty file" : "\"\(text.prefix { !$0.isNewline }.prefix(40))\"")
    }
  }

  /// name="value" pairs; nil for anything else.
  private static func attributes(_ text: Substring) -> [Substring: Substring]? {
    var result: [Substring: Substring] = [:]
    var rest = text.drop { $0.isWhitespace }
    while let first = rest.first, first != "/" {
      guard let equals = rest.firstIndex(of: "="), rest[equals...].hasPrefix("=\"") else { return nil }
      let name = rest[..<equals]
      let value = rest[equals...].dropFirst(2).prefix { $0 != "\"" }
      guard name.allSatisfy({ $0.isLetter || $0 == "_" }), value.endIndex < rest.endIndex,
        result.updateValue(value, forKey: name) == nil
      else { return nil }
      rest = rest[rest.index(after: value.endIndex)...].drop { $0.isWhitespace }
    }
    return rest.isEmpty || rest == "/" ? result : nil
  }

  /// Comma-separated words of 32 bits, the highest first; "0xf...f" stands for all above, an empty word for 0.
  private static func isSet(_ text: Substring) -> Bool {
    guard !text.isEmpty else { return false }
    return text.split(separator: ",", omittingEmptySubsequences: false).enumerated().allSatisfy { index, word in
      (word.isEmpty && index > 0) || (word == "0xf...f" && index == 0)
        || (word.hasPrefix("0x") && (3...10).contains(word.count) && word.dropFirst(2).allSatisfy(\.isHexDigit))
    }
  }

  private static func isSingle(_ set: Substring) -> Bool {
    set.split(separator: ",").reduce(0) { $0 + (UInt32($1.dropFirst(2), radix: 16) ?? .max).nonzeroBitCount } == 1
  }
}
