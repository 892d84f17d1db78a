public import Tessera

/// A network under a name: what commands and reports know it by.
public struct Network: Sendable {
  /// As commands take it.
  public let name: String
  /// One sentence for lists.
  public let summary: String
  /// Of one image, [H, W, C].
  public let inputShape: Shape
  /// Length of the output's rows: of one for each image, or of one for each pixel.
  public let classes: Int
  /// The layers, which end in a softmax.
  public let model: Sequential

  /// A network of layers; the other fields say what it takes and gives.
  public init(name: String, summary: String, inputShape: Shape, classes: Int, model: Sequential) {
    (self.name, self.summary, self.inputShape, self.classes, self.model) = (name, summary, inputShape, classes, model)
  }
}

/// [H, W, C] of the images that networks for ImageNet are published for.
let imageNetShape: Shape = [224, 224, 3]

/// Every network that Tessera ships. Commands, benchmarks and tests know what is registered here, and nothing else.
public enum NetworkCatalogue {
  /// Networks for small images first, then those for ImageNet, each in the order of size.
  public static let all: [Network] = [
    .digitsCNN, .mnistCNN, .leNet5, .cifarCNN, .uNet(), .cifarVGG, .squeezeNet1_1(), .squeezeNet1_0(), .mobileNetV2(),
    .denseNet121(), .resNet18(), .resNet34(), .resNet50(), .alexNet(), .vgg16(),
  ]

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
