public import TesseraKernelContract

extension Kernels {
  public static func adam(
    _ step: AdamStep, count: Int, gradient: UnsafePointer<Float>,
    parameter: UnsafeMutablePointer<Float>, firstMoment: UnsafeMutablePointer<Float>,
    secondMoment: UnsafeMutablePointer<Float>
  ) {
    // Whatever is the same for all elements is computed in double precision.
    let bias1 = 1 - power(step.beta1, step.step)
    let bias2 = 1 - power(step.beta2, step.step)
    let rate = Vector(repeating: Float(-step.learningRate / bias1))
    let correction = Vector(repeating: Float(1 / bias2.squareRoot()))
    let epsilon = Vector(repeating: Float(step.epsilon))
    let shrink = Vector(
      repeating: step.decoupled ? Float(1 - step.learningRate * step.weightDecay) : 1)
    let decay = Vector(repeating: step.decoupled ? 0 : Float(step.weightDecay))
    let gain1 = Vector(repeating: Float(1 - step.beta1))
    let gain2 = Vector(repeating: Float(1 - step.beta2))
    let beta2 = Vector(repeating: Float(step.beta2))

    forEachVector(count) { i, valid in
      var p = load(parameter + i, valid: valid)
      let g = multiplyAdd(load(gradient + i, valid: valid), decay, p)
      var m = load(firstMoment + i, valid: valid)
      m = multiplyAdd(m, gain1, g - m)
      let v = multiplyAdd(gain2 * g * g, beta2, load(secondMoment + i, valid: valid))
      p = multiplyAdd(p * shrink, rate, m / multiplyAdd(epsilon, squareRoot(v), correction))
      store(m, firstMoment + i, valid: valid)
      store(v, secondMoment + i, valid: valid)
      store(p, parameter + i, valid: valid)
    }
  }
}

/// base^exponent by repeated squaring, exponent >= 0.
private func power(_ base: Double, _ exponent: Int64) -> Double {
  var (result, square, left) = (1.0, base, exponent)
  while left > 0 {
    if left & 1 == 1 { result *= square }
    square *= square
    left >>= 1
  }
  return result
}
