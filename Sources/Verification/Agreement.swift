package import Tessera

/// What a comparison of results with their reference found.
package struct Agreement: Sendable {
  /// Elements compared.
  package private(set) var count = 0
  /// The largest error, as a part of the tolerance of its element.
  package private(set) var worstShare = 0.0
  /// The first element that is further from the reference than it may be.
  package private(set) var deviation: String?

  package init() {}

  /// Compares element by element.
  /// - Parameters:
  ///   - name: of the result, for reports.
  ///   - tolerance: the largest error of an element.
  package mutating func compare(
    _ name: String, count: Int, found: (Int) -> Double, expected: (Int) -> Double, tolerance: (Int) -> Double
  ) {
    self.count += count
    for index in 0..<count {
      let (found, expected, tolerance) = (found(index), expected(index), tolerance(index))
      if found == expected || found.isNaN && expected.isNaN { continue }
      let error = abs(found - expected)
      worstShare = max(worstShare, error.isFinite && tolerance > 0 ? error / tolerance : .infinity)
      // So that NaN is a deviation.
      if !(error <= tolerance), deviation == nil {
        deviation = "\(name)[\(index)]: \(found), expected \(expected) +- \(tolerance)"
      }
    }
  }

  /// Takes in what was found elsewhere.
  package mutating func add(_ other: Agreement) {
    count += other.count
    worstShare = max(worstShare, other.worstShare)
    deviation = deviation ?? other.deviation
  }
}

/// What a problem's results are in double precision, and how far those of other kernels may be from it.
package struct Expectation: Sendable {
  package let problem: Problem
  package let operands: [[Double]]
  /// The gradient of y.
  package let g: [Double]
  package let values: Problem.Results
  private let tolerances: Problem.Results

  /// The error of what isn't a sum of products, by the largest element.
  static let relativeTolerance = 2e-5

  /// Runs the problem with the reference kernels.
  package init(_ problem: Problem) throws {
    self.problem = problem
    operands = problem.operands(seed: 1)
    var random = TestRandom(2)
    g = random.normals(try problem.resultCount())
    let reference = try problem.program(.float64)
    values = try problem.run(reference, operands, g: g)
    // For sums of products |y' - y| <= gamma(n) sum |x||w|: the same program on absolute values gives the sum.
    let magnitudes =
      problem.isMultilinear ? try problem.run(reference, operands.map { $0.map(abs) }, g: g.map(abs)) : [:]
    tolerances = values.mapValues { values in
      let largest = values.reduce(1) { max($0, abs($1)) }
      return values.map { _ in Self.relativeTolerance * largest }
    }.merging(magnitudes.mapValues { $0.map { gamma(problem.terms + 2) * abs($0) + 1e-30 } }) { $1 }
  }

  /// Compares what single precision gives.
  /// - Parameter share: the part of the tolerance that errors may take.
  package func agreement(of options: Program.Options, workers: Int = 1, share: Double = 1) throws -> Agreement {
    let found = try problem.run(problem.program(.float32, options), operands, g: g, workers: workers)
    var agreement = Agreement()
    for (name, expected) in values.sorted(by: { $0.key < $1.key }) {
      guard let result = found[name], result.count == expected.count, let tolerances = tolerances[name] else {
        throw TesseraError(
          .notFound, at: problem.description, expected: "\(expected.count) elements of \(name)",
          found: "\(found[name]?.count ?? 0)")
      }
      agreement.compare(
        name, count: result.count, found: { result[$0] }, expected: { expected[$0] },
        tolerance: { share * tolerances[$0] })
    }
    return agreement
  }
}
