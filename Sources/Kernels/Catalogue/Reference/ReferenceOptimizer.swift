import RealModule
public import TesseraKernelContract

extension Reference {
  /// One step of stochastic gradient descent in place; `velocity` may be nil iff momentum is 0.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func sgd<T: BinaryFloatingPoint>(
    _ step: SGDStep, count: Int, gradient: UnsafePointer<T>, parameter: UnsafeMutablePointer<T>,
    velocity: UnsafeMutablePointer<T>?
  ) {
    for i in 0..<count {
      let decayed = Double(gradient[i]) + step.weightDecay * Double(parameter[i])
      var direction = decayed
      if let velocity {
        let speed = step.momentum * Double(velocity[i]) + decayed
        velocity[i] = T(speed)
        direction = step.nesterov ? decayed + step.momentum * speed : speed
      }
      parameter[i] = T(Double(parameter[i]) - step.learningRate * direction)
    }
  }

  /// One step of Adam or, with decoupled decay, AdamW in place.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func adam<T: BinaryFloatingPoint>(
    _ step: AdamStep, count: Int, gradient: UnsafePointer<T>, parameter: UnsafeMutablePointer<T>,
    firstMoment: UnsafeMutablePointer<T>, secondMoment: UnsafeMutablePointer<T>
  ) {
    let t = Double(step.step)
    let rate = step.learningRate / (1 - .pow(step.beta1, t))
    let correction = (1 - .pow(step.beta2, t)).squareRoot()
    for i in 0..<count {
      var p = Double(parameter[i])
      var g = Double(gradient[i])
      if step.decoupled {
        p *= 1 - step.learningRate * step.weightDecay
      } else {
        g += step.weightDecay * p
      }
      let m = Double(firstMoment[i]) + (1 - step.beta1) * (g - Double(firstMoment[i]))
      let v = step.beta2 * Double(secondMoment[i]) + (1 - step.beta2) * g * g
      firstMoment[i] = T(m)
      secondMoment[i] = T(v)
      parameter[i] = T(p - rate * m / (v.squareRoot() / correction + step.epsilon))
    }
  }
}
