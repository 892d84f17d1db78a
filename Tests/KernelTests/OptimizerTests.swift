import TesseraKernels
import TesseraVerification
import Testing

@Suite struct OptimizerTests {
  /// At most six roundings in a row, each relative to a sum of magnitudes below 4.
  @Test(arguments: KernelCatalogue.supported)
  func sgd(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let steps = [
      SGDStep(learningRate: 0.1, momentum: 0, weightDecay: 0, nesterov: false),
      SGDStep(learningRate: 0.1, momentum: 0, weightDecay: 0.01, nesterov: false),
      SGDStep(learningRate: 0.1, momentum: 0.9, weightDecay: 0.01, nesterov: false),
      SGDStep(learningRate: 0.1, momentum: 0.9, weightDecay: 0.01, nesterov: true),
    ]
    for count in counts(set) {
      for step in steps {
        let gradient = GuardedBuffer(random(count, seed: 1))
        let parameter = GuardedBuffer(random(count, seed: 2))
        let velocity = step.momentum == 0 ? nil : GuardedBuffer(random(count, seed: 3))
        var (p, v) = (parameter.doubles, velocity?.doubles ?? [])
        v.withUnsafeMutableBufferPointer {
          Reference.sgd(
            step, count: count, gradient: gradient.doubles, parameter: &p,
            velocity: velocity == nil ? nil : $0.baseAddress)
        }
        kernels.sgd(
          step, count: count, gradient: gradient.pointer, parameter: parameter.pointer,
          velocity: velocity?.pointer)
        expectClose(parameter.values, p, "sgd \(set) \(count) \(step)") { _ in gamma(6) * 4 }
        if let velocity {
          expectClose(velocity.values, v, "sgd velocity \(set) \(count) \(step)") { _ in gamma(4) * 2 }
        }
      }
    }
  }

  /// The first step, where the corrections are largest, and a late one.
  @Test(arguments: KernelCatalogue.supported, [1, 1000] as [Int64])
  func adam(_ set: InstructionSet, number: Int64) throws {
    let kernels = try kernels(of: set)
    for decoupled in [false, true] {
      let step = AdamStep(
        learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01,
        decoupled: decoupled, step: number)
      for count in counts(set) {
        let gradient = GuardedBuffer(random(count, seed: 1))
        let parameter = GuardedBuffer(random(count, seed: 2))
        let first = GuardedBuffer(random(count, seed: 3))
        let second = GuardedBuffer(random(count, seed: 4, 0, 1))
        var (p, m, v) = (parameter.doubles, first.doubles, second.doubles)
        let before = p
        Reference.adam(
          step, count: count, gradient: gradient.doubles, parameter: &p, firstMoment: &m,
          secondMoment: &v)
        kernels.adam(
          step, count: count, gradient: gradient.pointer, parameter: parameter.pointer,
          firstMoment: first.pointer, secondMoment: second.pointer)
        let what = "adam \(set) \(count) \(step)"
        // Each constant and operation is rounded once; all terms are at most 2.
        expectClose(first.values, m, what) { _ in gamma(6) * 2 }
        expectClose(second.values, v, what) { gamma(8) * v[$0] }
        // The moment's error is relative to its terms, not to what they leave: the root of v carries it into the step.
        let rate = number == 1 ? 1e-2 : 1e-3
        let correction = number == 1 ? 0.0316 : 0.8
        expectClose(parameter.values, p, what) { i in
          gamma(16) * abs(p[i] - before[i]) + gamma(3) * abs(before[i])
            + rate * gamma(6) * 2 / (v[i].squareRoot() / correction)
        }
      }
    }
  }
}
