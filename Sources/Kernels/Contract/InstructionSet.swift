/// A family of vector instructions for which the kernels are compiled, in order of preference.
///
/// A structure and not an enumeration, so that more of them may come without breaking a host that compares them.
public struct InstructionSet: Hashable, Comparable, Sendable, CustomStringConvertible {
  private let rank: Int

  /// As written in `TESSERA_ISA`, in kernel names and in reports.
  public let name: String

  /// Lanes of Float in one vector register.
  public let floatLanes: Int

  /// 4 lanes, multiply and add apart: SSE2, NEON, any CPU.
  public static let baseline = InstructionSet(rank: 0, name: "baseline", floatLanes: 4)
  /// 8 lanes with fused multiply-add: x86-64-v3.
  public static let avx2 = InstructionSet(rank: 1, name: "avx2", floatLanes: 8)
  /// 16 lanes with fused multiply-add and masks: x86-64-v4.
  public static let avx512 = InstructionSet(rank: 2, name: "avx512", floatLanes: 16)

  /// In order of preference, the best last.
  public static let all: [InstructionSet] = [.baseline, .avx2, .avx512]

  public var description: String { name }

  public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
}
