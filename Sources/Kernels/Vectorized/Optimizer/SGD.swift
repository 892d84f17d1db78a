public import TesseraKernelContract

extension Kernels {
  public static func sgd(
    _ step: SGDStep, count: Int, gradient: UnsafePointer<Float>,
    parameter: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>?
  ) {
    precondition(velocity != nil || step.momentum == 0, "momentum needs a velocity")
    let decay = Vector(repeating: Float(step.weightDecay))
    let momentum = Vector(repeating: Float(step.momentum))
    let rate = Vector(repeating: -Float(step.learningRate))
    let nesterov = step.nesterov
    guard let velocity else {
      forEachVector(count) { i, valid in
        let p = load(parameter + i, valid: valid)
        let decayed = multiplyAdd(load(gradient + i, valid: valid), decay, p)
        store(multiplyAdd(p, rate, decayed), parameter + i, valid: valid)
      }
      return
    }
    forEachVector(count) { i, valid in
      let p = load(parameter + i, valid: valid)
      let decayed = multiplyAdd(load(gradient + i, valid: valid), decay, p)
      let speed = multiplyAdd(decayed, momentum, load(velocity + i, valid: valid))
      let direction = nesterov ? multiplyAdd(decayed, momentum, speed) : speed
      store(speed, velocity + i, valid: valid)
      store(multiplyAdd(p, rate, direction), parameter + i, valid: valid)
    }
  }
}
