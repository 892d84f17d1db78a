import Foundation
import Tessera

/// One result: in JSON an object a line with its own fields, ``JSONLines/schemaVersion`` and the record's name at top level.
///
/// Numbers that aren't finite are null. Nested values are for JSON; a cell of CSV holds them as JSON.
protocol Record: Encodable {
  /// What kind of result it is, as in "layer".
  static var recordName: String { get }
}

/// A field that is there in any case: null where there is no value.
@propertyWrapper struct Nullable<Value: Encodable & Sendable>: Encodable, Sendable {
  var wrappedValue: Value?

  init(wrappedValue: Value?) { self.wrappedValue = wrappedValue }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(wrappedValue)
  }
}

/// The lines that `--format json` prints, and `compare` and `report` read.
enum JSONLines {
  /// Goes up when a field gets another meaning or name; new fields leave it as it is.
  static let schemaVersion = 1

  static let recordKey = "record"
  static let versionKey = "schema_version"

  /// The record on one line, its keys in alphabetical order.
  static func line(_ record: some Record) throws(TesseraError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: notFinite, negativeInfinity: notFinite, nan: notFinite)
    do {
      let text = String(decoding: try encoder.encode(Tagged(record: record)), as: UTF8.self)
      return text.replacing(encodedNotFinite, with: "null")
    } catch {
      throw TesseraError(
        .invalidData, at: type(of: record).recordName, expected: "fields that JSON can hold", found: "\(error)")
    }
  }

  /// What a line holds.
  /// - Throws: ``TesseraError/Code/invalidFile`` at `location` if it is no object.
  static func object(_ line: some StringProtocol, at location: String) throws(TesseraError) -> [String: JSONValue] {
    do {
      return try JSONDecoder().decode([String: JSONValue].self, from: Data(line.utf8))
    } catch {
      throw TesseraError(
        .invalidFile, at: location, expected: "a JSON object", found: "\"\(line.prefix(40))\"")
    }
  }

  /// Stands for numbers that JSON can't hold until the line is whole: a control character, which no name contains.
  private static let notFinite = "\u{1}"
  private static let encodedNotFinite = "\"\\u0001\""

  /// A record with what tells it from others, in one object.
  private struct Tagged<R: Record>: Encodable {
    let record: R

    private enum CodingKeys: String, CodingKey {
      case record
      case version = "schema_version"
    }

    func encode(to encoder: any Encoder) throws {
      try record.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(R.recordName, forKey: .record)
      try container.encode(JSONLines.schemaVersion, forKey: .version)
    }
  }
}
