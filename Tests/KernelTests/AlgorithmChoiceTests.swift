import TesseraKernels
import TesseraVerification
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
    for g in GeneratedGeometries.random(count: 200, seed: 5, maximumFlops: 1e9) {
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
    let geometries = GeneratedGeometries.random(count: 200, seed: 6, maximumFlops: 1e9) + [Self.dense]
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

  /// Where the obvious choice isn't the fastest: batch, channels, filters, image, padding, and what `engine-bench tune
  /// --workers 1` found on a Zen 4 core with AVX-512, for 3x3 windows.
  static let measured: [(n: Int, c: Int, k: Int, size: Int, pad: Int, ConvolutionPass, ConvolutionAlgorithm)] = [
    (1, 1, 64, 28, 0, .forward, .direct), (1, 1, 64, 28, 0, .backwardWeights, .direct),
    (1, 64, 32, 13, 0, .forward, .winograd), (1, 64, 32, 13, 0, .backwardData, .winograd),
    (4, 3, 64, 32, 1, .backwardData, .winograd), (64, 32, 32, 5, 1, .forward, .winograd),
    (64, 32, 32, 5, 1, .backwardWeights, .direct), (1, 512, 512, 7, 1, .forward, .winograd),
    (1, 512, 512, 7, 1, .backwardWeights, .direct),
  ]

  /// The same for 5x5 windows.
  static let measured5x5: [(n: Int, c: Int, k: Int, size: Int, pad: Int, ConvolutionPass, ConvolutionAlgorithm)] = [
    (16, 48, 128, 27, 2, .forward, .winograd), (16, 48, 128, 27, 2, .backwardWeights, .winograd),
    (64, 6, 16, 14, 0, .forward, .direct), (64, 6, 16, 14, 0, .backwardData, .winograd),
  ]

  @Test(.enabled(if: KernelCatalogue.supported.contains(.avx512)), arguments: measured)
  func modelAgreesWithMeasurement(
    _ n: Int, _ c: Int, _ k: Int, _ size: Int, _ pad: Int, _ pass: ConvolutionPass, _ fastest: ConvolutionAlgorithm
  ) throws {
    try expect(fastest, pass, n, c, k, size, pad, window: 3)
  }

  @Test(.enabled(if: KernelCatalogue.supported.contains(.avx512)), arguments: measured5x5)
  func modelAgreesWithMeasurementOf5x5(
    _ n: Int, _ c: Int, _ k: Int, _ size: Int, _ pad: Int, _ pass: ConvolutionPass, _ fastest: ConvolutionAlgorithm
  ) throws {
    try expect(fastest, pass, n, c, k, size, pad, window: 5)
  }

  private func expect(
    _ fastest: ConvolutionAlgorithm, _ pass: ConvolutionPass, _ n: Int, _ c: Int, _ k: Int, _ size: Int, _ pad: Int,
    window: Int
  ) throws {
    let caches = CacheSizes(level1Bytes: 32 << 10, level2Bytes: 1 << 20, level3Bytes: 32 << 20)
    let g = ConvolutionGeometry(
      n: n, h: size, w: size, c: c, k: k, r: window, s: window, padTop: pad, padLeft: pad, padBottom: pad,
      padRight: pad)
    #expect(try kernels(of: .avx512).algorithm(pass, g, ConvolutionSettings(caches: caches)) == fastest)
  }
}
