/// Loops that measure what the machine can do at best; every percentage refers to them.
public protocol MeasurementKernels {
  /// Runs independent multiply-adds in registers and returns the floating-point operations done (two a multiply-add and
  /// lane). `sink` gets one result, so that nothing is removed.
  static func multiplyAddLoop(iterations: Int, sink: UnsafeMutablePointer<Float>) -> Double

  /// Moves `count` floats of each operand of the pattern; y is aligned to 64 bytes. `streams`: y is written past the
  /// caches. Operands that the pattern doesn't name are left alone.
  /// - Returns: of `read`, something that depends on all of a; else 0.
  static func transferLoop(
    _ pattern: TransferPattern, streams: Bool, count: Int, a: UnsafePointer<Float>, b: UnsafePointer<Float>,
    y: UnsafeMutablePointer<Float>
  ) -> Float
}

/// How loops that no arithmetic holds up use memory.
public enum TransferPattern: String, CaseIterable, Sendable {
  /// The sum of a.
  case read
  /// y = a + b / 2
  case triad
  /// y = a
  case copy
  /// y = 0
  case fill

  /// Tensors that are read.
  public var reads: Int {
    switch self {
    case .fill: 0
    case .read, .copy: 1
    case .triad: 2
    }
  }

  /// Tensors that are written.
  public var writes: Int { self == .read ? 0 : 1 }

  /// The part of all bytes that is written.
  public var writtenShare: Double { Double(writes) / Double(reads + writes) }
}
