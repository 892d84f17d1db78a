import CTesseraShims
@_exported public import TesseraKernelContract
import TesseraKernelsBaseline

#if arch(x86_64)
  import TesseraKernelsX86AVX2
  import TesseraKernelsX86AVX512
#endif

/// The kernels this build holds, and which of them this processor can run.
public enum KernelCatalogue {
  /// The kernels compiled for an instruction set; nil where this build has none. They may only be *run* if
  /// ``supported`` holds the instruction set.
  public static func kernels(for instructionSet: InstructionSet) -> (any KernelSet.Type)? {
    switch instructionSet {
    case .baseline: return BaselineKernels.self
    #if arch(x86_64)
      case .avx2: return AVX2Kernels.self
      case .avx512: return AVX512Kernels.self
    #endif
    default: return nil
    }
  }

  /// The same, nil also where this processor lacks the instruction set.
  public static func runnableKernels(for instructionSet: InstructionSet) -> (any KernelSet.Type)? {
    supported.contains(instructionSet) ? kernels(for: instructionSet) : nil
  }

  /// What both processor and build offer, in order of preference, the best last. Never empty.
  public static let supported: [InstructionSet] = {
    #if arch(x86_64)
      // The processor's levels contain each other: x86-64-v4 is v3 and more.
      return Array(InstructionSet.all.prefix(1 + Int(tessera_x86_level())))
    #else
      return [.baseline]
    #endif
  }()

  /// The supported instruction set with the widest vectors.
  public static var best: InstructionSet { supported.last ?? .baseline }

  /// The instruction set of a name as in `TESSERA_ISA`, supported or not; nil if there is none.
  public static func instructionSet(named name: String) -> InstructionSet? {
    InstructionSet.all.first { $0.name == name }
  }
}
