import ArgumentParser
import Tessera
import TesseraFormats

/// Weights as torchvision publishes them.
struct WeightsOption: ParsableArguments {
  @Option(
    name: .customLong("weights"),
    help: ArgumentHelp(
      "A safetensors file with torchvision's names and shapes, in place of random weights.", valueName: "file"))
  var path: String?

  /// The file, opened and checked; nil where none is named.
  func file() throws(TesseraError) -> SafetensorsFile? {
    guard let path else { return nil }
    return try SafetensorsFile(path: path)
  }
}
