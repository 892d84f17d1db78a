/// How many tests ended how, altogether and by operator.
struct ConformanceReport {
  private var results: [ConformanceResult] = []

  mutating func add(_ result: ConformanceResult) { results.append(result) }

  var failed: Int { count(.failed, results) }
  var unsupported: Int { count(.unsupported, results) }

  private func count(_ status: ConformanceStatus, _ results: [ConformanceResult]) -> Int {
    results.count { $0.status == status }
  }

  /// One test, and below it what was wrong.
  static func line(_ result: ConformanceResult) -> String {
    "\(Format.left(result.status.rawValue, 11)) \(result.test)"
      + (result.status == .passed ? "" : "\n            \(result.reason)")
  }

  var summary: String { "\(count(.passed, results)) passed, \(failed) failed, \(unsupported) unsupported" }

  /// A row for each set of operators, in Markdown, with what didn't pass.
  var table: String {
    var lines = [
      "| operators | passed | failed | unsupported | not passed |", "|---|---:|---:|---:|---|",
    ]
    let families = Dictionary(grouping: results) { $0.operators.joined(separator: ", ") }
    for (operators, results) in families.sorted(by: { $0.key < $1.key }) {
      let rest = results.filter { $0.status != .passed }.map { "`\($0.test)`" }
      lines.append(
        "| \(operators) | \(count(.passed, results)) | \(count(.failed, results)) | \(count(.unsupported, results)) | "
          + "\(rest.joined(separator: ", ")) |")
    }
    lines.append("| all | \(count(.passed, results)) | \(failed) | \(unsupported) | |")
    return lines.joined(separator: "\n")
  }
}
