import Foundation
import TesseraGraph
import Testing

@Suite struct ScheduleTests {
  @Test func constant() {
    let schedule = LearningRateSchedule.constant(0.3)
    for step in [0, 1, 1_000_000, -5, Int.max] { #expect(schedule.learningRate(atStep: step) == 0.3) }
  }

  @Test(arguments: [(10, 0.5), (1, 0.999), (1, 1.001), (7, 0.1)])
  func step(_ every: Int, _ factor: Double) {
    let schedule = LearningRateSchedule.step(0.2, every: every, factor: factor)
    for step in [0, 1, every - 1, every, 2 * every, 30 * every + every / 2, 999, 1_000, 5_000, 12_345] {
      let expected = 0.2 * pow(factor, Double(step / every))
      #expect(abs(schedule.learningRate(atStep: step) - expected) <= 1e-11 * expected, "step \(step)")
    }
  }

  @Test func stepsBelowOneCountAsOne() {
    let schedule = LearningRateSchedule.step(1, every: 0, factor: 0.5)
    #expect((0...3).map { schedule.learningRate(atStep: $0) } == [1, 0.5, 0.25, 0.125])
    #expect(schedule.learningRate(atStep: -3) == 1)
    #expect(schedule.learningRate(atStep: Int.max) == 0)
  }

  @Test(arguments: [0, 1, 10], [0.0, 0.01])
  func cosine(_ warmUp: Int, _ minimum: Double) {
    let schedule = LearningRateSchedule.cosine(0.4, steps: 110, warmUpSteps: warmUp, minimum: minimum)
    for step in 0...130 {
      let expected: Double
      if step < warmUp {
        expected = 0.4 * Double(step + 1) / Double(warmUp)
      } else {
        let progress = min(1, Double(step - warmUp) / Double(110 - warmUp))
        expected = minimum + (0.4 - minimum) * (1 + cos(.pi * progress)) / 2
      }
      #expect(abs(schedule.learningRate(atStep: step) - expected) <= 1e-14, "step \(step)")
    }
    #expect(schedule.learningRate(atStep: warmUp) == 0.4)
    #expect(schedule.learningRate(atStep: 110) == minimum)
    #expect(schedule.learningRate(atStep: Int.max) == minimum)
  }

  /// A warm-up longer than the schedule ends at the base, and one step later at the minimum.
  @Test func aWarmUpOfAllSteps() {
    let schedule = LearningRateSchedule.cosine(1, steps: 4, warmUpSteps: 8)
    #expect(schedule.learningRate(atStep: 7) == 1)
    #expect(schedule.learningRate(atStep: 8) == 1)
    #expect(schedule.learningRate(atStep: 9) == 0)
  }
}

@Suite struct CycleTests {
  /// `torch.optim.lr_scheduler.OneCycleLR(max_lr=0.1, total_steps=20)`, PyTorch 2.15.0.
  static let cycle = [
    0.0040000000000000036, 0.013167184270002533, 0.037167184270002526, 0.06683281572999747,
    0.09083281572999748, 0.1, 0.09874640062350874, 0.09504846320134738,
    0.089091617757105, 0.0811745653949763, 0.07169430017913009, 0.06112620219362893,
    0.0500002, 0.03887419780637107, 0.028306099820869922, 0.0188258346050237,
    0.010908782242895003, 0.004951936798652629, 0.0012539993764912555, 4e-07,
  ]

  @Test func oneCycleIsPyTorchs() {
    let schedule = LearningRateSchedule.oneCycle(0.1, steps: 20)
    for (step, rate) in Self.cycle.enumerated() {
      #expect(abs(schedule.learningRate(atStep: step) - rate) <= 1e-12, "step \(step)")
    }
    #expect(schedule.learningRate(atStep: 1000) == schedule.learningRate(atStep: 19))
    for steps in 1...4 {
      for share in [0, 0.1, 0.5, 1] {
        for step in 0...steps {
          let rate = LearningRateSchedule.oneCycle(1, steps: steps, riseShare: share).learningRate(atStep: step)
          #expect(rate > 0 && rate <= 1)
        }
      }
    }
  }

  @Test func warmUpsComeBeforeAnySchedule() {
    let schedule = LearningRateSchedule.step(0.8, every: 10, factor: 0.5).warmingUp(steps: 4)
    #expect((0...4).map { schedule.learningRate(atStep: $0) } == [0.2, 0.4, 0.6000000000000001, 0.8, 0.8])
    #expect(schedule.learningRate(atStep: 10) == 0.4)
    #expect(LearningRateSchedule.constant(0.3).warmingUp(steps: 0).learningRate(atStep: 0) == 0.3)
  }
}

@Suite struct StableHashTests {
  /// Vectors of the authors' reference (Fowler, Noll and Vo, "The FNV Non-Cryptographic Hash Algorithm", appendix C).
  @Test(
    arguments: [
      ("", 0xCBF2_9CE4_8422_2325), ("a", 0xAF63_DC4C_8601_EC8C), ("b", 0xAF63_DF4C_8601_F1A5),
      ("foobar", 0x8594_4171_F739_67E8),
    ] as [(String, UInt64)])
  func publishedVectors(_ text: String, _ hash: UInt64) {
    #expect(StableHash.fnv1a(text) == hash)
  }
}
