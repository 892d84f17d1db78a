/// What placement and prediction know of the work in a phase of a kernel. It decides who computes what, and when that is
/// expected to be done, never what is computed.
package struct PhaseShape: Sendable {
  /// Tasks are numbered by part of the output channels first, then by part of batch and rows.
  package var channelParts = 1
  /// Steps of one multiply-add of a vector that all tasks take together; 0 where only memory bounds them.
  package var multiplyAddSteps = 0.0
  /// The operand that a part of the channels reads whole, whatever its pixels: packed weights.
  package var weightOperand: Int?
  /// Bytes of input that two neighbours in batch and rows both read.
  package var haloByteCount = 0

  package init() {}
}
