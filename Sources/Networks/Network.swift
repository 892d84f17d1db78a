public import Tessera

/// A network under a name: what commands and reports know it by.
public struct Network: Sendable {
  /// As commands take it.
  public let name: String
  /// One sentence for lists.
  public let summary: String
  /// Of one image, [H, W, C].
  public let inputShape: Shape
  /// Length of the output's row.
  public let classes: Int
  /// The layers, which end in a softmax.
  public let model: Sequential
}

/// Every network that Tessera ships. Commands, benchmarks and tests know what is registered here, and nothing else.
public enum NetworkCatalogue {
  /// In the order of size.
  public static let all: [Network] = [.digitsCNN, .mnistCNN, .cifarCNN, .cifarVGG]

  /// The network of a name.
  /// - Throws: ``TesseraError/Code/notFound`` that lists all names, the nearest first.
  public static func network(named name: String) throws(TesseraError) -> Network {
    if let network = all.first(where: { $0.name == name }) { return network }
    let nearest = all.map(\.name).sorted { distance($0, name) < distance($1, name) }
    throw TesseraError(
      .notFound, at: "network", expected: "one of " + nearest.joined(separator: ", "),
      found: "\"\(name)\"")
  }

  /// Levenshtein's distance: single characters inserted, removed or replaced.
  private static func distance(_ a: String, _ b: String) -> Int {
    let b = Array(b)
    var row = Array(0...b.count)
    for (i, character) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for j in b.indices {
        let replaced = diagonal + (character == b[j] ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[b.count]
  }
}
