import CTesseraShims
import TesseraKernelContract
import TesseraKernelsBaseline
import Testing

#if arch(x86_64)
  import TesseraKernelsAVX2
  import TesseraKernelsAVX512
#endif

typealias Subject = ConvolutionKernels & MatrixKernels & SendableMetatype

/// The instruction sets that this processor has.
let subjects: [(name: String, kernels: any Subject.Type)] = {
  var all: [(String, any Subject.Type)] = [("baseline", BaselineKernels.self)]
  #if arch(x86_64)
    if tessera_x86_level() >= 1 { all.append(("avx2", AVX2Kernels.self)) }
    if tessera_x86_level() >= 2 { all.append(("avx512", AVX512Kernels.self)) }
  #endif
  return all
}()

/// Expects every element within the bound of its sum, after an activation that never stretches distances; `slack` is
/// what the activation itself may be wrong by.
func expectClose(
  _ actual: GuardedBuffer, _ expected: [BoundedSum], slack: Double = 0, _ what: @autoclosure () -> String,
  activation: (Double) -> Double = { $0 }
) {
  for (i, bound) in expected.enumerated() {
    let error = abs(Double(actual.pointer[i]) - activation(bound.sum))
    // The comparison fails for NaN, too.
    guard error <= bound.tolerance + slack else {
      Issue.record(
        "\(what()): element \(i) of \(expected.count) is \(actual.pointer[i]), expected \(activation(bound.sum)) +- \(bound.tolerance + slack)"
      )
      return
    }
  }
}

/// Runs tasks from the last to the first one by one, then all at once: results must be the same bits.
func expectIndependentTasks(
  _ count: Int, result: GuardedBuffer, _ what: @autoclosure () -> String, run: (Range<Int>) -> Void
) {
  result.fill(.nan)
  for task in (0..<count).reversed() { run(task..<task + 1) }
  let first = (0..<result.count).map { result.pointer[$0].bitPattern }
  result.fill(.nan)
  run(0..<count)
  let isSame = (0..<result.count).allSatisfy { result.pointer[$0].bitPattern == first[$0] }
  #expect(isSame, "\(what()): results depend on how tasks are grouped")
}
