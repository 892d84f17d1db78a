import TesseraGraph
package import TesseraKernels

/// Which algorithm computes each convolution of a program: the one that the options name, else that of the choices made
/// before, else the cost model's.
package struct AlgorithmSelection: Sendable {
  let caches: CacheSizes
  private let numerics: Numerics
  private let algorithm: ConvolutionAlgorithm?
  private let choices: KernelChoices?
  /// Of a graph's convolutions: the cost model is asked once for each.
  private var decided: [KernelChoices.Convolution: ConvolutionAlgorithm] = [:]

  init(_ options: Program.Options, caches: CacheSizes) {
    self.caches = options.choices?.caches ?? caches
    (numerics, algorithm, choices) = (options.numerics, options.algorithm, options.choices)
  }

  /// Settings that name the algorithm.
  /// - Throws: ``TesseraError/Code/unsupported`` if options or choices name one that refuses the geometry.
  func settings(
    _ pass: ConvolutionPass, _ geometry: ConvolutionGeometry, _ kernels: any KernelSet.Type, at location: String
  ) throws(TesseraError) -> ConvolutionSettings {
    let convolution = convolution(pass, geometry, kernels)
    if let algorithm = decided[convolution] {
      return ConvolutionSettings(caches: caches, numerics: numerics, algorithm: algorithm)
    }
    var settings = ConvolutionSettings(
      caches: caches, numerics: numerics, algorithm: algorithm ?? choices?[convolution])
    if let named = settings.algorithm {
      if let reason = kernels.refusal(named, pass, geometry, numerics: numerics) {
        throw TesseraError(
          .unsupported, at: location, expected: "a \(pass.rawValue) convolution that \(named.rawValue) computes",
          found: reason)
      }
    } else {
      settings.algorithm = kernels.algorithm(pass, geometry, settings)
    }
    return settings
  }

  private func convolution(
    _ pass: ConvolutionPass, _ geometry: ConvolutionGeometry, _ kernels: any KernelSet.Type
  ) -> KernelChoices.Convolution {
    KernelChoices.Convolution(
      pass: pass, geometry: geometry, numerics: numerics, instructionSet: kernels.instructionSet)
  }

  /// Decides for the convolutions in float32 of a graph, and says what was chosen.
  mutating func decide(for graph: Graph, _ kernels: any KernelSet.Type) throws(TesseraError) -> [ChosenConvolution] {
    var result: [ChosenConvolution] = []
    for node in graph.nodes {
      let inputs = node.inputs.map { graph.type(of: $0) }
      let output = graph.type(of: node.outputs[0])
      guard output.element == .float32, let (pass, geometry) = Self.convolution(node.operation, inputs, output)
      else { continue }
      guard let algorithm = try settings(pass, geometry, kernels, at: node.name).algorithm else { continue }
      let convolution = convolution(pass, geometry, kernels)
      decided[convolution] = algorithm
      result.append(ChosenConvolution(node: node.name, convolution: convolution, algorithm: algorithm))
    }
    return result
  }

  private static func convolution(_ operation: any Operation, _ inputs: [TensorType], _ output: TensorType)
    -> (ConvolutionPass, ConvolutionGeometry)?
  {
    switch operation {
    case let operation as Convolution2D: (.forward, operation.geometry(inputs))
    case let operation as ConvolutionBackwardData: (.backwardData, operation.geometry(inputs, output))
    case let operation as ConvolutionBackwardWeights: (.backwardWeights, operation.geometry(inputs, output))
    default: nil
    }
  }
}

/// What computes one convolution of a program.
package struct ChosenConvolution: Sendable {
  package let node: String
  package let convolution: KernelChoices.Convolution
  package let algorithm: ConvolutionAlgorithm
}
