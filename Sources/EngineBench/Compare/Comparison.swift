import Foundation
import Tessera

/// What got faster or slower from one file of results to another.
struct Comparison {
  enum Verdict: String, Encodable {
    case faster, slower
    /// The difference is within the noise.
    case same
  }

  /// One thing that both files measured.
  struct Pair {
    let record: String
    let label: String
    let figure: String
    let old: Double
    let new: Double
    /// How much longer it takes, as a share: 0.1 is a tenth longer, or a tenth less of a rate.
    let change: Double
    /// The spreads of both together.
    let noise: Double
    /// Whether results themselves differ.
    let isOtherResult: Bool

    var verdict: Verdict { abs(change) <= noise ? .same : change > 0 ? .slower : .faster }
  }

  /// In the order of the new file.
  let pairs: [Pair]
  /// What only one of the files measured.
  let onlyOld: [String]
  let onlyNew: [String]
  /// Fields of the environment that differ, with both values.
  let environment: [(field: String, old: String, new: String)]

  /// A record that doesn't carry its spread is taken to be so far from the truth.
  private static let unknownSpread = 0.05

  init(_ old: ResultFile, _ new: ResultFile) {
    var (pairs, onlyOld, onlyNew): ([Pair], [String], [String]) = ([], [], [])
    for schema in RecordSchema.all {
      let (before, after) = (Self.best(old, schema), Self.best(new, schema))
      let fields = schema.distinguishing(Array(before.entries.values) + Array(after.entries.values))
      func label(_ entry: ResultFile.Entry) -> String { schema.label(entry, by: fields) }
      for key in after.order {
        guard let entry = after.entries[key] else { continue }
        guard let other = before.entries[key] else {
          onlyNew.append("\(schema.record) \(label(entry))")
          continue
        }
        if let pair = Self.pair(schema, label(entry), other, entry) { pairs.append(pair) }
      }
      for key in before.order where after.entries[key] == nil {
        if let entry = before.entries[key] { onlyOld.append("\(schema.record) \(label(entry))") }
      }
    }
    (self.pairs, self.onlyOld, self.onlyNew) = (pairs, onlyOld, onlyNew)
    environment = Self.differences(old.records("environment").first, new.records("environment").first)
  }

  /// Of what was measured more than once the best; what has no figure isn't there.
  private static func best(_ file: ResultFile, _ schema: RecordSchema)
    -> (entries: [[JSONValue]: ResultFile.Entry], order: [[JSONValue]])
  {
    var (entries, order): ([[JSONValue]: ResultFile.Entry], [[JSONValue]]) = ([:], [])
    for entry in file.records(schema.record) {
      guard let figure = entry.number(schema.figure), figure > 0 else { continue }
      let key = schema.key(entry)
      if let known = entries[key]?.number(schema.figure) {
        if schema.isRate(entry) ? figure > known : figure < known { entries[key] = entry }
      } else {
        entries[key] = entry
        order.append(key)
      }
    }
    return (entries, order)
  }

  private static func pair(
    _ schema: RecordSchema, _ label: String, _ old: ResultFile.Entry, _ new: ResultFile.Entry
  ) -> Pair? {
    guard let before = old.number(schema.figure), let after = new.number(schema.figure) else { return nil }
    let checksums = (old.string("checksum"), new.string("checksum"))
    return Pair(
      record: schema.record, label: label, figure: schema.figure, old: before, new: after,
      change: (schema.isRate(new) ? before / after : after / before) - 1,
      noise: (old.number("spread") ?? unknownSpread) + (new.number("spread") ?? unknownSpread),
      isOtherResult: checksums.0 != nil && checksums.1 != nil && checksums.0 != checksums.1)
  }

  /// What is never the same isn't among them.
  private static func differences(_ old: ResultFile.Entry?, _ new: ResultFile.Entry?)
    -> [(field: String, old: String, new: String)]
  {
    guard let old, let new else { return [] }
    let ignored: Set = ["date", "command", "warnings"]
    return Set(old.fields.keys).union(new.fields.keys).subtracting(ignored).sorted().compactMap { field in
      let (before, after) = (old.fields[field]?.cell ?? "", new.fields[field]?.cell ?? "")
      return before == after ? nil : (field, before, after)
    }
  }

  /// How a kind of record changed on the whole.
  struct Summary {
    let record: String
    let faster: Int
    let slower: Int
    let same: Int
    /// Geometric mean of new over old time.
    let ratio: Double
  }

  var summaries: [Summary] {
    RecordSchema.all.compactMap { schema in
      let own = pairs.filter { $0.record == schema.record }
      guard !own.isEmpty else { return nil }
      func count(_ verdict: Verdict) -> Int { own.count { $0.verdict == verdict } }
      return Summary(
        record: schema.record, faster: count(.faster), slower: count(.slower), same: count(.same),
        ratio: exp(own.reduce(0) { $0 + log1p($1.change) } / Double(own.count)))
    }
  }
}
