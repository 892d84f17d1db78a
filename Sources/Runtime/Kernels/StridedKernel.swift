import TesseraGraph

/// An operation whose kernel, in float32, takes operands that are channels of wider rows, or gives such a result:
/// ``KernelContext/inputPitches`` and ``KernelContext/outputPitch`` say how far apart rows begin.
protocol StridedKernel: KernelOperation {
  /// Whether rows of an operand may lie apart.
  func readsStrided(_ operand: Int) -> Bool
  /// Whether rows of the first result may.
  var writesStrided: Bool { get }
}

extension KernelContext {
  /// Elements from the beginning of one row of an operand to that of the next.
  func pitch(ofInput index: Int) -> Int { inputPitches[index] ?? inputs[index].rowWidth }
}
