/// The learning rate as a function of the step, counted from 0.
public struct LearningRateSchedule: Hashable, Sendable {
  private enum Rule: Hashable, Sendable {
    case constant
    case step(every: Int, factor: Double)
    case cosine(steps: Int, warmUpSteps: Int, minimum: Double)
  }

  /// The rate at the beginning, after any warm-up.
  public let base: Double
  private let rule: Rule

  /// The same rate at every step.
  public static func constant(_ base: Double) -> LearningRateSchedule {
    LearningRateSchedule(base: base, rule: .constant)
  }

  /// base factor^floor(step / every); `every` below 1 counts as 1.
  public static func step(_ base: Double, every: Int, factor: Double) -> LearningRateSchedule {
    LearningRateSchedule(base: base, rule: .step(every: max(1, every), factor: factor))
  }

  /// Linear from base / warmUpSteps to base over the warm-up, then half a cosine down to the minimum at `steps`, which
  /// it keeps. Source: Loshchilov and Hutter, "SGDR" (2017), without restarts; Goyal et al. (2017) for the warm-up.
  public static func cosine(
    _ base: Double, steps: Int, warmUpSteps: Int = 0, minimum: Double = 0
  ) -> LearningRateSchedule {
    LearningRateSchedule(
      base: base,
      rule: .cosine(steps: max(1, steps), warmUpSteps: max(0, warmUpSteps), minimum: minimum))
  }

  /// The rate of a step, counted from 0; steps below 0 count as 0.
  public func learningRate(atStep step: Int) -> Double {
    let step = max(0, step)
    switch rule {
    case .constant: return base
    case .step(let every, let factor):
      return base * Self.power(factor, step / every)
    case .cosine(let steps, let warmUpSteps, let minimum):
      if step < warmUpSteps { return base * Double(step + 1) / Double(warmUpSteps) }
      let length = max(1, steps - warmUpSteps)
      let progress = min(1, Double(step - warmUpSteps) / Double(length))
      return minimum + (base - minimum) * 0.5 * (1 + Self.cosineOfPi(progress))
    }
  }

  /// factor^exponent by repeated squaring.
  private static func power(_ factor: Double, _ exponent: Int) -> Double {
    var (result, square, exponent) = (1.0, factor, exponent)
    while exponent > 0 {
      if exponent & 1 == 1 { result *= square }
      square *= square
      exponent >>= 1
    }
    return result
  }

  /// cos(pi t) for t in 0...1, to about 1e-14: half-angle symmetry and a Taylor series, since this module has no
  /// mathematics library.
  private static func cosineOfPi(_ t: Double) -> Double {
    guard t <= 0.5 else { return -cosineOfPi(1 - t) }
    let square = (t * .pi) * (t * .pi)
    var term = 1.0
    var sum = 1.0
    for k in 1...12 {
      term *= -square / Double((2 * k - 1) * (2 * k))
      sum += term
    }
    return sum
  }
}
