public import ArgumentParser
public import TesseraKernels

extension ConvolutionAlgorithm: ExpressibleByArgument {}
extension Numerics: ExpressibleByArgument {}

/// How near results have to be to the exact sums.
struct NumericsOption: ParsableArguments {
  @Option(help: "exact: direct sums only; fast: admits Winograd's algorithms.")
  var numerics: Numerics = .fast
}
