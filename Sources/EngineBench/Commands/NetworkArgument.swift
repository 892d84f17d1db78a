import ArgumentParser
import Tessera

/// The network that a command is about.
struct NetworkArgument: ParsableArguments {
  @Argument(help: "The network's name, or the path of an ONNX model.")
  var network: String

  func validate() throws { try NetworkSource.validate(network) }

  func source() throws(TesseraError) -> NetworkSource { try NetworkSource(network) }
}

/// How many images such a command computes at once.
struct BatchOption: ParsableArguments {
  @Option(help: "Images a batch.")
  var batch = 16

  func validate() throws { try expectOption("--batch", batch, in: batchSizes) }
}

/// Refuses a value outside of a range.
func expectOption<Value: Comparable>(_ option: String, _ value: Value, in range: ClosedRange<Value>) throws {
  guard range.contains(value) else {
    throw ValidationError("\(option): expected \(range.lowerBound) to \(range.upperBound), found \(value)")
  }
}

/// More images than any batch has.
let batchSizes = 1...1 << 20
