package import TesseraGraph

/// Compares the parameters that are wanted with those that a file holds.
package enum ParameterComparison {
  /// Passes if both have the same names with the same types.
  /// - Parameters: types by name, as errors print them.
  /// - Throws: one `invalidFile` that lists all that are missing, unexpected or of another type.
  package static func require(
    _ expected: [String: String], in found: [String: String], of file: String
  ) throws(TesseraError) {
    let missing = expected.keys.filter { found[$0] == nil }.sorted()
    let unexpected = found.keys.filter { expected[$0] == nil }.sorted()
    let different = expected.keys.sorted().compactMap { name in
      found[name].flatMap { type in
        type == expected[name] ? nil : "\(name) \(type) instead of \(expected[name] ?? "")"
      }
    }
    let lists = [("missing", missing), ("unexpected", unexpected), ("of another type", different)]
    let mistakes = lists.filter { !$0.1.isEmpty }.map { "\($0.0): \($0.1.joined(separator: ", "))" }
    guard mistakes.isEmpty else {
      throw TesseraError(
        .invalidFile, at: file, expected: "the \(expected.count) parameters of the model",
        found: mistakes.joined(separator: "; "))
    }
  }
}
