import Foundation
import Mustache
import Tessera

/// What the page shows, as its template reads it.
struct ReportPage {
  struct Section {
    let id: String
    let title: String
    var notes: [String] = []
    var parts: [Part]
  }

  /// A heading, a picture and a table, each where there is one.
  struct Part {
    var heading: String?
    var image: Image?
    var table: Table?
  }

  struct Image {
    let description: String
    let base64: String

    init(_ description: String, svg: String) {
      self.description = description
      base64 = Data(svg.utf8).base64EncodedString()
    }
  }

  struct Table {
    struct Cell {
      let text: String
      let isText: Bool
    }

    struct Row {
      let cells: [Cell]
      /// A class of the style sheet.
      let mark: String?
    }

    private(set) var isFacts = false
    let header: [Cell]
    private(set) var rows: [Row] = []

    /// - Parameter columns: names, those of texts with "<" before them.
    init(_ columns: [String]) {
      header = columns.map { Cell(text: $0.hasPrefix("<") ? String($0.dropFirst()) : $0, isText: $0.hasPrefix("<")) }
    }

    /// Names and what is to be known of them.
    init(facts columns: [String]) {
      self.init(columns.map { "<" + $0 })
      isFacts = true
    }

    mutating func add(_ cells: [String], mark: String? = nil) {
      rows.append(
        Row(cells: zip(header, cells).map { Cell(text: $1, isText: $0.isText) }, mark: mark))
    }
  }

  let title: String
  let subtitle: String
  let warnings: [String]
  let sections: [Section]
  let version: String

  /// - Throws: what the template may have wrong.
  func html() throws -> String { try MustacheTemplate(string: ReportTemplate.text).render(self) }
}
