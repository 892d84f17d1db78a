import TesseraKernels
import TesseraVerification
import Testing

@Suite struct ElementwiseTests {
  @Test(arguments: KernelCatalogue.supported)
  func arithmetic(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for count in counts(set) {
      let a = GuardedBuffer(random(count, seed: 1))
      let b = GuardedBuffer(random(count, seed: 2))
      let y = GuardedBuffer<Float>.poisoned(count)
      var expected = [Float](repeating: 0, count: count)
      kernels.add(count: count, a: a.pointer, b: b.pointer, y: y.pointer, streams: false)
      Reference.add(count: count, a: a.pointer, b: b.pointer, y: &expected)
      expectSame(y.values, expected, "add \(set) \(count)")
      kernels.subtract(count: count, a: a.pointer, b: b.pointer, y: y.pointer, streams: false)
      Reference.subtract(count: count, a: a.pointer, b: b.pointer, y: &expected)
      expectSame(y.values, expected, "subtract \(set) \(count)")
      kernels.multiply(count: count, a: a.pointer, b: b.pointer, y: y.pointer, streams: false)
      Reference.multiply(count: count, a: a.pointer, b: b.pointer, y: &expected)
      expectSame(y.values, expected, "multiply \(set) \(count)")
    }
  }

  /// What the loss of a mean squared error consists of: two roundings of a difference and a product, and a sum in which no
  /// term is added to more than 16 + 8 + log2(leaves) others.
  @Test(arguments: KernelCatalogue.supported)
  func squaredErrors(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for count in counts(set) + [0, 64 * set.floatLanes + 1, 10_007] {
      let a = GuardedBuffer(random(count, seed: 3))
      let b = GuardedBuffer(random(count, seed: 4))
      let y = GuardedBuffer<Float>.poisoned(count)
      var expected = [Double](repeating: 0, count: count)
      kernels.scaledDifference(count: count, factor: -0.3, a: a.pointer, b: b.pointer, y: y.pointer, streams: false)
      Reference.scaledDifference(count: count, factor: Double(-0.3 as Float), a: a.doubles, b: b.doubles, y: &expected)
      expectClose(y.values, expected, "scaledDifference \(set) \(count)") { gamma(2) * abs(expected[$0]) }
      let distance = kernels.squaredDistance(count: count, a: a.pointer, b: b.pointer)
      let exact = Reference.squaredDistance(count: count, a: a.doubles, b: b.doubles)
      expectClose([distance], [exact], "squaredDistance \(set) \(count)") { _ in gamma(3 + 24 + 14) * exact }
    }
  }

  /// What a gradient's norm consists of: a product's rounding, and sums as above.
  @Test(arguments: KernelCatalogue.supported)
  func sumsOfSquares(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for count in counts(set) + [0, 64 * set.floatLanes + 1, 10_007] {
      let x = GuardedBuffer(random(count, seed: 5))
      let exact = Reference.sumOfSquares(count: count, x: x.doubles)
      expectClose([kernels.sumOfSquares(count: count, x: x.pointer)], [exact], "sumOfSquares \(set) \(count)") { _ in
        gamma(1 + 24 + 14) * exact
      }
    }
  }

  /// At most two roundings, of the product and of the sum.
  @Test(arguments: KernelCatalogue.supported)
  func affine(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let (factor, offset): (Float, Float) = (1 / 255, -0.4)
    for count in counts(set) {
      let x = GuardedBuffer(random(count, seed: 1, -300, 300))
      let bytes = GuardedBuffer((0..<count).map { UInt8(truncatingIfNeeded: $0 * 37) })
      let y = GuardedBuffer<Float>.poisoned(count)
      var expected = [Double](repeating: 0, count: count)
      Reference.affine(count: count, factor: Double(factor), offset: Double(offset), x: x.doubles, y: &expected)
      kernels.affine(count: count, factor: factor, offset: offset, x: x.pointer, y: y.pointer, streams: false)
      expectClose(y.values, expected, "affine \(set) \(count)") { _ in gamma(2) * (300 / 255 + 0.4) }
      Reference.affine(count: count, factor: Double(factor), offset: Double(offset), bytes: bytes.pointer, y: &expected)
      kernels.affine(count: count, factor: factor, offset: offset, bytes: bytes.pointer, y: y.pointer)
      expectClose(y.values, expected, "affine bytes \(set) \(count)") { _ in gamma(2) * 1.4 }
    }
  }

  /// Pairwise above leaves of 64 vectors: 16 additions in a chain, 2 and at most 4 levels to one number, then one a
  /// level.
  @Test(arguments: KernelCatalogue.supported)
  func sum(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for count in counts(set) + [64 * set.floatLanes, 64 * set.floatLanes + 1, 100_003] {
      let x = GuardedBuffer(random(count, seed: 3))
      let expected = Reference.sum(count: count, x: x.doubles)
      let magnitude = Reference.sum(count: count, x: x.doubles.map(abs))
      let levels = Int.bitWidth - (count / (64 * set.floatLanes)).leadingZeroBitCount
      expectClose([kernels.sum(count: count, x: x.pointer)], [expected], "sum \(set) \(count)") { _ in
        gamma(16 + 4 + 2 + 4 + levels) * magnitude
      }
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func allFinite(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for count in counts(set) {
      let x = GuardedBuffer(random(count, seed: 3, -3e38, 3e38))
      let isFinite = kernels.allFinite(count: count, x: x.pointer)
      #expect(isFinite)
      for value: Float in [.nan, .infinity, -.infinity] {
        for position in Set([0, count / 2, count - 1]) {
          let saved = x.pointer[position]
          x.pointer[position] = value
          let isFinite = kernels.allFinite(count: count, x: x.pointer)
          #expect(!isFinite, "\(set) \(count) \(value) at \(position)")
          x.pointer[position] = saved
        }
      }
    }
  }

  /// The loops give what they promise: the number of operations, a sum of what was read, and what was to be written.
  @Test(arguments: KernelCatalogue.supported)
  func measurementLoops(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    var sink: Float = 0
    let operations = kernels.multiplyAddLoop(iterations: 100, sink: &sink)
    #expect(operations == Double(100 * 12 * 2 * set.floatLanes))
    // Each of the chains has settled at 1.
    expectClose([sink], [Double(12 * set.floatLanes)], "chains") { _ in 1e-3 }
    for count in counts(set) {
      let ones = GuardedBuffer<Float>(repeating: 1, count: count)
      for pattern in TransferPattern.allCases {
        for streams in [false, true] {
          // Aligned to a page.
          let y = GuardedBuffer<Float>(repeating: .nan, count: count, guardedAt: .start)
          let sum = kernels.transferLoop(
            pattern, streams: streams, count: count, a: ones.pointer, b: ones.pointer, y: y.pointer)
          let written: Float? =
            switch pattern {
            case .read: nil
            case .triad: 1.5
            case .copy: 1
            case .fill: 0
            }
          #expect(sum == (pattern == .read ? Float(count) : 0))
          #expect(y.values.allSatisfy { $0 == written || written == nil && $0.isNaN }, "\(set) \(pattern) \(count)")
        }
      }
    }
  }
}
