import TesseraKernels
import TesseraVerification
import Testing

@Suite struct ActivationTests {
  static let all: [Activation] = [
    .identity, .relu, .leakyRelu(slope: 0.125), .clip(lower: 0, upper: 0.5), .sigmoid, .tanh,
  ]

  /// Accuracy in units in the last place over everything from tiny to saturated, on both sides of 0.
  @Test(arguments: KernelCatalogue.supported)
  func transcendentalsAreAccurate(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let magnitudes = stride(from: Float(0x1p-20).bitPattern, to: Float(87).bitPattern, by: 7919)
      .map { Float(bitPattern: $0) }
    let points = GuardedBuffer(magnitudes + magnitudes.map { -$0 })
    let y = GuardedBuffer<Float>.poisoned(points.count)
    for (activation, ulps) in [(Activation.tanh, 2.0), (.sigmoid, 3)] {
      kernels.activate(activation, count: points.count, x: points.pointer, y: y.pointer, streams: false)
      var expected = [Double](repeating: 0, count: points.count)
      Reference.activate(activation, count: points.count, x: points.doubles, y: &expected)
      expectClose(y.values, expected, "\(activation) \(set)") { ulps * Double(Float(expected[$0]).ulp) }
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func extremeArguments(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let x: [Float] = [
      .infinity, -.infinity, .nan, 0, -0.0, 1e4, -1e4, 88.8, -88.8, 104, -104, 0x1p-140, -0x1p-140,
      .greatestFiniteMagnitude,
    ]
    let guarded = GuardedBuffer(x)
    for activation in Self.all {
      let y = GuardedBuffer<Float>.poisoned(x.count)
      kernels.activate(activation, count: x.count, x: guarded.pointer, y: y.pointer, streams: false)
      var expected = [Double](repeating: 0, count: x.count)
      Reference.activate(activation, count: x.count, x: x.map(Double.init), y: &expected)
      // Results below the normal numbers may be 0.
      expectClose(y.values, expected, "\(activation) \(set)") {
        4 * unitRoundoff * abs(expected[$0]) + Double(Float.leastNormalMagnitude)
      }
      #expect(y.values[2].isNaN)
    }
    let zeros = GuardedBuffer<Float>.poisoned(2)
    kernels.activate(.tanh, count: 2, x: [0, -0.0], y: zeros.pointer, streams: false)
    #expect(zeros.values.map(\.sign) == [.plus, .minus])
  }

  @Test(arguments: KernelCatalogue.supported)
  func allCountsInPlaceAndApart(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for activation in Self.all {
      for count in counts(set) {
        let x = GuardedBuffer(random(count, seed: UInt64(count), -3, 3))
        let y = GuardedBuffer<Float>.poisoned(count)
        var expected = [Double](repeating: 0, count: count)
        Reference.activate(activation, count: count, x: x.doubles, y: &expected)
        kernels.activate(activation, count: count, x: x.pointer, y: y.pointer, streams: false)
        expectClose(y.values, expected, "\(activation) \(set) \(count)") {
          4 * Double(Float(expected[$0]).ulp)
        }
        kernels.activate(activation, count: count, x: x.pointer, y: x.pointer, streams: false)
        expectSame(x.values, y.values, "\(activation) \(set) \(count) in place")
      }
    }
  }

  /// Three roundings of products, and one of 1 - y or 1 - y y that is relative to 1.
  @Test(arguments: KernelCatalogue.supported)
  func gradients(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for activation in Self.all {
      for count in counts(set) {
        let y = GuardedBuffer(random(count, seed: 1, activation == .sigmoid ? 0 : -1, 1))
        let dy = GuardedBuffer(random(count, seed: 2))
        let dz = GuardedBuffer<Float>.poisoned(count)
        var expected = [Double](repeating: 0, count: count)
        Reference.activateBackward(
          activation, count: count, dy: dy.doubles, y: y.doubles, dz: &expected)
        kernels.activateBackward(
          activation, count: count, dy: dy.pointer, y: y.pointer, dz: dz.pointer, streams: false)
        expectClose(dz.values, expected, "\(activation) gradient \(set) \(count)") {
          gamma(4) * abs(Double(dy.pointer[$0]))
        }
      }
    }
  }
}
