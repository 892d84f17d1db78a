/// What tells records of a kind apart, and which of their figures says how good the result is.
struct RecordSchema {
  let record: String
  /// Fields that two records of the same thing have alike. A field that isn't there is as one that is null or false.
  let identity: [String]
  /// The field that is judged.
  let figure: String
  /// Whether more of it is better, which a record's unit may decide.
  var isRate: @Sendable (ResultFile.Entry) -> Bool = { _ in false }

  /// Of every kind that is worth comparing.
  static let all = [
    RecordSchema(
      record: "peak", identity: ["measure", "level", "isa", "workers"], figure: "value",
      isRate: { $0.string("unit") != "us" }),
    RecordSchema(
      record: "layer", identity: ["name", "pass", "batch", "isa", "workers", "cold"], figure: "best_ms"),
    RecordSchema(record: "operation", identity: ["name", "pass", "isa", "workers"], figure: "best_ms"),
    RecordSchema(
      record: "network", identity: ["network", "batch", "mode", "isa", "workers", "streams"], figure: "best_ms"),
    RecordSchema(record: "node", identity: ["network", "batch", "mode", "workers", "node"], figure: "ms"),
    RecordSchema(
      record: "scaling", identity: ["network", "mode", "kind", "workers", "batch", "isa"], figure: "best_ms"),
    RecordSchema(
      record: "serve_load",
      identity: ["network", "batch", "isa", "workers", "clients", "offered_per_second", "neighbour"],
      figure: "p99_ms"),
    RecordSchema(record: "tuning", identity: ["name", "pass", "isa", "algorithm"], figure: "best_ms"),
    RecordSchema(record: "trained_layer", identity: ["layer", "pass"], figure: "ms"),
  ]

  /// The values of the identity.
  func key(_ entry: ResultFile.Entry) -> [JSONValue] {
    identity.map { field in
      switch entry.fields[field] {
      case nil, .bool(false): .null
      case let value?: value
      }
    }
  }

  /// Fields of the identity that tell some of these apart; the first in any case.
  func distinguishing(_ entries: [ResultFile.Entry]) -> [String] {
    let keys = entries.map(key)
    return identity.indices.filter { index in index == 0 || Set(keys.map { $0[index] }).count > 1 }.map { identity[$0] }
  }

  /// As people would call it: texts as they are, numbers with their field.
  func label(_ entry: ResultFile.Entry, by fields: [String]) -> String {
    let words = fields.compactMap { field -> String? in
      switch entry.fields[field] {
      case .bool(true): field
      case .string(let text): text.isEmpty ? nil : text
      case .number(let number): "\(field.prefix { $0 != "_" }) \(JSONValue.number(number).cell)"
      default: nil
      }
    }
    return words.joined(separator: " ")
  }
}
