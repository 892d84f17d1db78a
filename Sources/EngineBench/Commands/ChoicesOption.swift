import ArgumentParser
import Tessera

/// Choices of algorithms that were made before.
struct ChoicesOption: ParsableArguments {
  @Option(
    name: .customLong("choices"),
    help: ArgumentHelp(
      "Kernel choices that `tune` or a program wrote; what they don't hold is left to the cost model.",
      valueName: "file"))
  var path: String?

  /// What the file holds; nil where none is named.
  func choices() throws(TesseraError) -> KernelChoices? {
    guard let path else { return nil }
    return try KernelChoices(contentsOf: path)
  }
}
