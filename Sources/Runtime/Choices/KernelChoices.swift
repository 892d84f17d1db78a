public import TesseraKernels

/// Which algorithm computes which convolution, and the caches that its blocking follows from.
///
/// One build, one instruction set and one set of choices make a program compute the same bits in every process. Without
/// choices the cost model decides, which may decide otherwise in a later version or for other caches: what
/// ``Program/choices`` gives can be written to a file and read again (``write(to:)``, ``init(contentsOf:)``).
public struct KernelChoices: Hashable, Sendable {
  /// One convolution, as a choice is made for it.
  public struct Convolution: Hashable, Sendable {
    public var pass: ConvolutionPass
    /// All its sizes, that of the batch too.
    public var geometry: ConvolutionGeometry
    public var numerics: Numerics
    /// A choice for one set says nothing about another.
    public var instructionSet: InstructionSet

    public init(
      pass: ConvolutionPass, geometry: ConvolutionGeometry, numerics: Numerics, instructionSet: InstructionSet
    ) {
      (self.pass, self.geometry, self.numerics, self.instructionSet) = (pass, geometry, numerics, instructionSet)
    }
  }

  /// What blocking, and with it the order of sums, follows from.
  public var caches: CacheSizes
  /// The processor that the choices were made on; for readers.
  public var processorName: String
  private var algorithms: [Convolution: ConvolutionAlgorithm] = [:]

  /// No choices yet, for given caches or those of this machine.
  public init(caches: CacheSizes = Machine.current.caches) {
    self.caches = caches
    processorName = Machine.current.processorName
  }

  /// The algorithm chosen for a convolution; nil where none is.
  public subscript(_ convolution: Convolution) -> ConvolutionAlgorithm? {
    get { algorithms[convolution] }
    set { algorithms[convolution] = newValue }
  }

  /// Convolutions that an algorithm is chosen for.
  public var count: Int { algorithms.count }

  /// Everything chosen, sorted by geometry, pass, numerics and instruction set.
  public var sorted: [(convolution: Convolution, algorithm: ConvolutionAlgorithm)] {
    algorithms.map { ($0.key, $0.value) }
      .sorted { $0.0.order.lexicographicallyPrecedes($1.0.order) }
  }
}

extension KernelChoices.Convolution {
  /// What lists are sorted by.
  fileprivate var order: [Int] {
    let g = geometry
    return [
      g.n, g.h, g.w, g.c, g.k, g.r, g.s, g.strideY, g.strideX, g.dilationY, g.dilationX, g.padTop, g.padLeft,
      g.padBottom, g.padRight, g.groups,
      ConvolutionPass.allCases.firstIndex(of: pass) ?? 0, Numerics.allCases.firstIndex(of: numerics) ?? 0,
      InstructionSet.all.firstIndex(of: instructionSet) ?? 0,
    ]
  }
}
