import TesseraKernels
import Testing

@Suite struct AlgorithmChoiceTests {
  private static let dense = ConvolutionGeometry(
    n: 4, h: 28, w: 28, c: 128, k: 128, r: 3, s: 3, padTop: 1, padLeft: 1, padBottom: 1, padRight: 1)

  private func name(
    _ kernels: any KernelSet.Type, _ pass: ConvolutionPass, _ g: ConvolutionGeometry, _ settings: ConvolutionSettings
  ) -> String {
    pass == .backwardWeights
      ? kernels.weightGradientPlan(g, settings).name : kernels.plan(pass, g, settings).name
  }

  @Test(arguments: KernelCatalogue.supported, ConvolutionPass.allCases)
  func exactRefusesWinograd(_ set: InstructionSet, _ pass: ConvolutionPass) throws {
    let kernels = try kernels(of: set)
    #expect(kernels.refusal(.winograd, pass, Self.dense, numerics: .fast) == nil)
    #expect(kernels.refusal(.winograd, pass, Self.dense, numerics: .exact) != nil)
    let fast = ConvolutionSettings(caches: .typical, numerics: .fast)
    let exact = ConvolutionSettings(caches: .typical, numerics: .exact)
    #expect(name(kernels, pass, Self.dense, fast).contains(".winograd"))
    #expect(!name(kernels, pass, Self.dense, exact).contains(".winograd"))
  }

  /// Whatever refuses says what it found; the algorithms that serve every geometry refuse none.
  @Test(arguments: KernelCatalogue.supported)
  func refusalsNameTheirReason(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for g in generatedGeometries(count: 200, seed: 5, maximumFlops: 1e9) {
      for pass in ConvolutionPass.allCases {
        for numerics in Numerics.allCases {
          for algorithm in ConvolutionAlgorithm.allCases {
            guard let reason = kernels.refusal(algorithm, pass, g, numerics: numerics) else { continue }
            #expect(algorithm != .direct && algorithm != .im2col)
            let found = [
              "exact", "\(g.r)x\(g.s)", "\(g.strideY)x\(g.strideX)", "\(g.groups) groups", pass.rawValue,
              "\(g.c) channels",
            ]
            #expect(found.contains { reason.contains($0) }, "\(algorithm), \(pass) of \(g): \(reason)")
          }
        }
      }
    }
  }

  /// The same problem, instruction set and settings give the same plan, whatever was planned in between; what was
  /// chosen doesn't refuse and is never the unrolled product.
  @Test(arguments: KernelCatalogue.supported)
  func choiceDoesNotFlicker(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let geometries = generatedGeometries(count: 200, seed: 6, maximumFlops: 1e9) + [Self.dense]
    func names() -> [String] {
      geometries.flatMap { g in
        Numerics.allCases.flatMap { numerics in
          cacheSizes.flatMap { caches in
            ConvolutionPass.allCases.map {
              name(kernels, $0, g, ConvolutionSettings(caches: caches, numerics: numerics))
            }
          }
        }
      }
    }
    let first = names()
    #expect(first == names())
    #expect(first.allSatisfy { !$0.contains(".im2col") })
  }

  /// What the settings name is what computes.
  @Test(arguments: KernelCatalogue.supported)
  func overruled(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let small = ConvolutionGeometry(n: 1, h: 8, w: 8, c: 1, k: 5, r: 3, s: 3)
    for algorithm in ConvolutionAlgorithm.allCases {
      let settings = ConvolutionSettings(caches: .typical, algorithm: algorithm)
      for pass in ConvolutionPass.allCases
      where kernels.refusal(algorithm, pass, small, numerics: settings.numerics) == nil {
        #expect(name(kernels, pass, small, settings).contains(".\(algorithm.rawValue)"))
      }
    }
  }
}
