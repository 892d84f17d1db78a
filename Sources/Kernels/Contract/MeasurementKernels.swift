/// Loops that measure what the machine can do at best; every percentage refers to them.
public protocol MeasurementKernels {
  /// Runs independent multiply-adds in registers and returns the floating-point operations done (two a multiply-add and
  /// lane). `sink` gets one result, so that nothing is removed.
  static func multiplyAddLoop(iterations: Int, sink: UnsafeMutablePointer<Float>) -> Double

  /// Reads `count` floats and returns something that depends on all of them.
  static func readLoop(count: Int, x: UnsafePointer<Float>) -> Float
}
