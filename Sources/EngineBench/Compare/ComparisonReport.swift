/// A comparison as records, and as tables of at most 80 columns.
enum ComparisonReport {
  struct PairRecord: Record {
    static let recordName = "comparison"

    let of: String
    let label: String
    let figure: String
    let old: Double
    let new: Double
    let change: Double
    let noise: Double
    let verdict: Comparison.Verdict
    let isOtherResult: Bool

    enum CodingKeys: String, CodingKey {
      case of, label, figure, old, new, change, noise, verdict
      case isOtherResult = "other_result"
    }

    init(_ pair: Comparison.Pair) {
      (of, label, figure, old, new) = (pair.record, pair.label, pair.figure, pair.old, pair.new)
      (change, noise, verdict, isOtherResult) = (pair.change, pair.noise, pair.verdict, pair.isOtherResult)
    }
  }

  struct SummaryRecord: Record {
    static let recordName = "comparison_summary"

    let of: String
    let faster: Int
    let slower: Int
    let same: Int
    let ratio: Double

    init(_ summary: Comparison.Summary) {
      (of, faster, slower, same) = (summary.record, summary.faster, summary.slower, summary.same)
      ratio = summary.ratio
    }
  }

  /// What differs beyond the noise, the slower first; `all`: everything.
  static func text(_ comparison: Comparison, all: Bool) -> String {
    var parts: [String] = []
    let shown = comparison.pairs.filter { all || $0.verdict != .same || $0.isOtherResult }.sorted {
      $0.change > $1.change
    }
    if !shown.isEmpty {
      parts.append(
        ([line("", "old", "new", "change", "noise", "")] + shown.map(line)).joined(separator: "\n"))
    }
    var table = TextTable(header: ["of", "slower", "faster", "same", "new/old time"])
    for summary in comparison.summaries {
      table.add([
        summary.record, "\(summary.slower)", "\(summary.faster)", "\(summary.same)", Format.fixed(summary.ratio, 3),
      ])
    }
    parts.append(table.text)
    for (side, labels) in [("old", comparison.onlyOld), ("new", comparison.onlyNew)] where !labels.isEmpty {
      let names = labels.prefix(3).joined(separator: ", ") + (labels.count > 3 ? ", ..." : "")
      parts.append("only in the \(side) file: \(labels.count)\n  \(String(names.prefix(78)))")
    }
    if !comparison.environment.isEmpty {
      let lines = comparison.environment.map { difference in
        String("  \(difference.field): \(difference.old) -> \(difference.new)".prefix(80))
      }
      parts.append("other environment:\n" + lines.joined(separator: "\n"))
    }
    return parts.joined(separator: "\n\n")
  }

  private static func line(_ pair: Comparison.Pair) -> String {
    line(
      "\(pair.record) \(pair.label)", number(pair.old), number(pair.new), percent(pair.change, signed: true),
      percent(pair.noise), pair.verdict.rawValue + (pair.isOtherResult ? ", other result" : ""))
  }

  private static func line(
    _ label: String, _ old: String, _ new: String, _ change: String, _ noise: String, _ verdict: String
  ) -> String {
    Format.left(String(label.prefix(36)), 36) + Format.right(old, 9) + Format.right(new, 9) + Format.right(change, 9)
      + Format.right(noise, 8) + (verdict.isEmpty ? "" : "  \(verdict)")
  }

  /// Four digits or so.
  private static func number(_ value: Double) -> String {
    Format.fixed(value, value < 1 ? 4 : value < 10 ? 3 : value < 100 ? 2 : 1)
  }

  private static func percent(_ share: Double, signed: Bool = false) -> String {
    (signed && share > 0 ? "+" : "") + Format.fixed(100 * share, 1) + " %"
  }
}
