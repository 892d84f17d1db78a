import Dispatch
import TesseraRuntime
import TesseraKernels

/// Compares a result with single elements computed in double precision.
enum LayerVerification {
  /// Results of layers beyond this many floating-point operations are sampled.
  static let completeFlops = 2e9
  static let sampleCount = 20_000

  /// max |y - reference| / max |reference|.
  static func maximumError(_ benchmark: LayerBenchmark) -> Double {
    let g = benchmark.problem.geometry
    let sizes =
      switch benchmark.pass {
      case .forward: [g.n, g.p, g.q, g.k]
      case .backwardData: [g.n, g.h, g.w, g.c]
      case .backwardWeights: [g.r, g.s, g.channelsPerGroup, g.k]
      }
    let count = sizes.reduce(1, *)
    let sample = g.flops > completeFlops && count > sampleCount ? self.sample(sizes) : nil
    let checked = sample?.count ?? count
    let largest = Lock((error: 0.0, reference: 0.0))
    let chunk = 256
    DispatchQueue.concurrentPerform(iterations: (checked + chunk - 1) / chunk) { part in
      var (error, reference) = (0.0, 0.0)
      for position in part * chunk..<min(checked, (part + 1) * chunk) {
        let index = sample?[position] ?? position
        let wanted = benchmark.operands.referenceElement(g, benchmark.pass, index)
        let difference = abs(Double(benchmark.operands.result.elements[index]) - wanted)
        // A NaN would get lost in max.
        error = difference.isFinite ? max(error, difference) : .infinity
        reference = max(reference, abs(wanted))
      }
      largest.withLock {
        $0.error = max($0.error, error)
        $0.reference = max($0.reference, reference)
      }
    }
    return largest.withLock { $0.reference > 0 ? $0.error / $0.reference : $0.error }
  }

  /// Positions in a tensor: every corner; for each axis each of its last 64 positions and its first, where tiles begin
  /// and leave a rest; and random ones.
  static func sample(_ sizes: [Int]) -> [Int] {
    var random = PhiloxGenerator(seed: 1)
    func position(_ coordinates: [Int]) -> Int {
      zip(coordinates, sizes).reduce(0) { $0 * $1.1 + $1.0 }
    }
    func anywhere() -> [Int] { sizes.map { Int(random.next() % UInt64($0)) } }
    var result: [Int] = []
    for corner in 0..<1 << sizes.count {
      result.append(
        position(sizes.indices.map { corner >> $0 & 1 == 0 ? 0 : sizes[$0] - 1 }))
    }
    for axis in sizes.indices {
      for edge in [0] + (max(0, sizes[axis] - 64)..<sizes[axis]) {
        for _ in 0..<16 {
          var coordinates = anywhere()
          coordinates[axis] = edge
          // Borders of borders: half of them lie on a second edge.
          let other = Int(random.next() % UInt64(sizes.count))
          if other != axis, random.next() & 1 == 0 {
            coordinates[other] = random.next() & 1 == 0 ? 0 : sizes[other] - 1
          }
          result.append(position(coordinates))
        }
      }
    }
    while result.count < sampleCount { result.append(position(anywhere())) }
    return result
  }
}
