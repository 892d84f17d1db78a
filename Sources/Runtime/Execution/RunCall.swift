/// What a host says of one run before it begins. A session keeps those that are idle.
final class RunCall: @unchecked Sendable {
  var inputs: [UnsafeRawBufferPointer?]
  /// Nil: the result is dropped.
  var outputs: [UnsafeMutableRawBufferPointer?]
  /// What calls the run off, if anything does.
  var cancellation: Cancellation?
  var deadline: ContinuousClock.Instant?

  init(inputCount: Int, outputCount: Int) {
    inputs = Array(repeating: nil, count: inputCount)
    outputs = Array(repeating: nil, count: outputCount)
  }

  func forget() {
    for index in inputs.indices { inputs[index] = nil }
    for index in outputs.indices { outputs[index] = nil }
    cancellation = nil
    deadline = nil
  }
}
