/// The learning rate as a function of the step, counted from 0.
public struct LearningRateSchedule: Hashable, Sendable {
  private enum Rule: Hashable, Sendable {
    case constant
    case step(every: Int, factor: Double)
    case cosine(steps: Int, warmUpSteps: Int, minimum: Double)
    case oneCycle(steps: Int, riseShare: Double, first: Double, last: Double)
  }

  /// The rate at the beginning, after any warm-up.
  public let base: Double
  private let rule: Rule
  /// First steps whose rates rise, whatever the rule says of them.
  private var riseSteps = 0

  private init(base: Double, rule: Rule) { (self.base, self.rule) = (base, rule) }

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

  /// One cycle over `steps`: from peak / 25 up to the peak in the given share of the steps, then down to peak / 250,000, each
  /// by half a cosine. As `torch.optim.lr_scheduler.OneCycleLR` does to the rate; the momentum stays.
  /// Source: Smith and Topin, "Super-convergence" (2018).
  public static func oneCycle(_ peak: Double, steps: Int, riseShare: Double = 0.3) -> LearningRateSchedule {
    LearningRateSchedule(
      base: peak,
      rule: .oneCycle(
        steps: max(1, steps), riseShare: min(max(riseShare, 0), 1), first: peak / 25, last: peak / 250_000))
  }

  /// The same after a linear rise from base / steps to base: only the first steps have other rates.
  public func warmingUp(steps: Int) -> LearningRateSchedule {
    var schedule = self
    schedule.riseSteps = max(0, steps)
    return schedule
  }

  /// The rate of a step, counted from 0; steps below 0 count as 0.
  public func learningRate(atStep step: Int) -> Double {
    let step = max(0, step)
    if step < riseSteps { return base * Double(step + 1) / Double(riseSteps) }
    switch rule {
    case .constant: return base
    case .step(let every, let factor):
      return base * Self.power(factor, step / every)
    case .cosine(let steps, let warmUpSteps, let minimum):
      if step < warmUpSteps { return base * Double(step + 1) / Double(warmUpSteps) }
      let length = max(1, steps - warmUpSteps)
      let progress = min(1, Double(step - warmUpSteps) / Double(length))
      return Self.halfCosine(from: base, to: minimum, progress)
    case .oneCycle(let steps, let riseShare, let first, let last):
      let top = max(0, riseShare * Double(steps) - 1)
      let end = Double(steps - 1)
      let at = min(Double(step), end)
      return at < top
        ? Self.halfCosine(from: first, to: base, at / top)
        : Self.halfCosine(from: base, to: last, end > top ? (at - top) / (end - top) : 1)
    }
  }

  private static func halfCosine(from start: Double, to end: Double, _ progress: Double) -> Double {
    end + (start - end) * 0.5 * (1 + cosineOfPi(progress))
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
