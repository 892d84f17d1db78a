import TesseraKernels
import TesseraVerification
import Testing

@Suite struct FunctionTests {
  static let maps: [MapFunction] = [
    .absolute, .squareRoot, .exponential, .logarithm, .reciprocal, .errorFunction, .floor, .ceiling, .roundToEven,
    .exponentialUnit(scale: 1, alpha: 0.7, rate: 1), .exponentialUnit(scale: 1.05, alpha: 1.67, rate: 1),
    .exponentialUnit(scale: 1, alpha: 2, rate: 0.5), .hardSigmoid(slope: 0.2, offset: 0.5), .hardSwish,
    .swish(rate: 1.5), .gelu, .geluTanh, .mish, .softplus, .softsign,
  ]

  /// Numbers near 0 and far from it, of both signs; above 0 for functions that are defined there.
  private func operands(_ function: MapFunction, _ count: Int) -> [Float] {
    let values = random(count, seed: 9, -1, 1).enumerated().map { index, x in
      x * [1e-5, 0.01, 1, 3, 9][index % 5]
    }
    return function == .squareRoot || function == .logarithm ? values.map { abs($0) + 1e-6 } : values
  }

  /// Within a few units in the last place of the value, or of the largest value within a step of rounding around where
  /// the function is 0.
  @Test(arguments: KernelCatalogue.supported, maps)
  func functions(_ set: InstructionSet, _ function: MapFunction) throws {
    let kernels = try kernels(of: set)
    for count in counts(set) {
      let x = GuardedBuffer(operands(function, count))
      let y = GuardedBuffer<Float>.poisoned(count)
      kernels.mapElements(function, count: count, x: x.pointer, y: y.pointer)
      let expected = x.doubles.map { Reference.value(function, $0) }
      expectClose(y.values, expected, "\(function) \(set) \(count)") { 3e-6 * abs(expected[$0]) + 1e-9 }

      let dy = GuardedBuffer(random(count, seed: 10, -1, 1))
      let dx = GuardedBuffer<Float>.poisoned(count)
      kernels.mapElementsGradient(function, count: count, dy: dy.pointer, x: x.pointer, dx: dx.pointer)
      let gradients = zip(x.doubles, dy.doubles).map { Reference.derivative(function, $0) * $1 }
      expectClose(dx.values, gradients, "gradient of \(function) \(set) \(count)") { 6e-6 * abs(gradients[$0]) + 1e-6 }
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func valuesAtTheEdge(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let numbers: [Float] = [0, -0.0, .infinity, -.infinity, .nan, -1, .leastNonzeroMagnitude * 1024, 100, -100]
    for function in Self.maps {
      for number in numbers {
        let y = GuardedBuffer<Float>.poisoned(1)
        kernels.mapElements(function, count: 1, x: [number], y: y.pointer)
        let (found, expected) = (y.values[0], Reference.value(function, Double(number)))
        // What isn't defined at infinity is left out: 0 times infinity, and differences of infinities.
        if expected.isNaN && !number.isNaN && number.isInfinite { continue }
        if number.isInfinite && found.isNaN { continue }
        #expect(
          expected.isNaN
            ? found.isNaN
            : abs(Double(found) - expected) <= 3e-6 * abs(expected) + 1e-9 || Double(found) == expected
              || Float(expected) == found,
          "\(function) of \(number) by \(set): \(found), expected \(expected)")
      }
    }
  }

  static let binary: [PairFunction] = [
    .add, .subtract, .multiply, .divide, .power, .maximum, .minimum, .equal, .slopeBelowZero, .leak,
  ]

  @Test(arguments: KernelCatalogue.supported, binary)
  func pairs(_ set: InstructionSet, _ function: PairFunction) throws {
    let kernels = try kernels(of: set)
    for count in counts(set) {
      for (aStep, bStep) in [(1, 1), (0, 1), (1, 0)] {
        var a = random(aStep == 0 ? 1 : count, seed: 1, -2, 2)
        var b = random(bStep == 0 ? 1 : count, seed: 2, -2, 2)
        if function == .power { (a, b) = (a, b.map { ($0 * 2).rounded() }) }
        if function == .equal { (a, b) = (a.map { $0.rounded() }, b.map { $0.rounded() }) }
        if count > 3 && function == .maximum || function == .minimum { a[a.count - 1] = .nan }
        let (left, right) = (GuardedBuffer(a), GuardedBuffer(b))
        let y = GuardedBuffer<Float>.poisoned(count)
        kernels.pairs(
          function, count: count, a: left.pointer, aStep: aStep, b: right.pointer, bStep: bStep, y: y.pointer)
        for i in 0..<count {
          let expected = Reference.value(function, Double(a[i * aStep]), Double(b[i * bStep]))
          let found = Double(y.values[i])
          #expect(
            expected.isNaN
              ? found.isNaN : abs(found - expected) <= 2e-7 * abs(expected) || Float(expected) == y.values[i],
            "\(function) \(set) \(count)[\(i)]: \(found), expected \(expected)")
        }
      }
    }
  }

  @Test(arguments: KernelCatalogue.supported, [FoldFunction.sum, .maximum, .minimum, .product])
  func folds(_ set: InstructionSet, _ function: FoldFunction) throws {
    let kernels = try kernels(of: set)
    for rows in [1, 2, 17, 65, 300] {
      for width in [1, 3, set.floatLanes, set.floatLanes + 1] {
        for padding in [0, 2] {
          let step = width + padding
          let elements = random((rows - 1) * step + width, seed: UInt64(rows), 0.5, 1.5)
          let x = GuardedBuffer(elements)
          let y = GuardedBuffer<Float>.poisoned(width)
          kernels.fold(function, rows: rows, width: width, x: x.pointer, rowStep: step, y: y.pointer)
          let expected = (0..<width).map { column in
            (0..<rows).reduce(Reference.identity(function)) {
              Reference.folded(function, Double(elements[$1 * step + column]), $0)
            }
          }
          expectClose(y.values, expected, "\(function) \(set) \(rows)x\(width)") { gamma(rows) * abs(expected[$0]) }
          guard function == .maximum || function == .minimum else { continue }
          x.pointer[0] = .nan
          kernels.fold(function, rows: rows, width: width, x: x.pointer, rowStep: step, y: y.pointer)
          #expect(y.values[0].isNaN)
        }
      }
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func scaledSums(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for count in counts(set) {
      let (x, start) = (GuardedBuffer(random(count, seed: 1)), random(count, seed: 2))
      let y = GuardedBuffer(start)
      kernels.addScaled(factor: 0.3, count: count, x: x.pointer, y: y.pointer)
      let expected = (0..<count).map { Double(start[$0]) + Double(0.3 as Float) * x.doubles[$0] }
      expectClose(y.values, expected, "addScaled \(set) \(count)") { _ in gamma(2) * 3 }
    }
  }
}
