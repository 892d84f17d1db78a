import Dispatch
import Tessera
import TesseraKernels
import TesseraVerification

/// One pass of one convolution: its result in double precision, and how far from it each algorithm may be.
struct ConvolutionCheck {
  let geometry: ConvolutionGeometry
  let pass: ConvolutionPass
  private let problem: LayerProblem
  private let operands: LayerOperands
  private let sums: [Double]
  /// Of any order of summation (Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1).
  private let tolerances: [Double]
  /// The largest magnitudes of both operands, multiplied.
  private let largestProduct: Double
  /// Of the bias, which is one more rounding of the result.
  private let biasRounding: Double

  /// - Throws: ``TesseraError/Code/systemFailure`` if there is no memory for it.
  init(_ geometry: ConvolutionGeometry, _ pass: ConvolutionPass, seed: UInt64) throws(TesseraError) {
    (self.geometry, self.pass) = (geometry, pass)
    problem = LayerProblem(name: "convolution", geometry)
    let operands = try LayerOperands(geometry, pass, seed: seed)
    let magnitudes = try operands.magnitudes()
    self.operands = operands
    let terms = geometry.terms(pass)
    sums = try Self.elements(operands.result.elements.count) { operands.referenceElement(geometry, pass, $0) }
    // Two roundings more than terms: of the product without fused instructions, and of the bias.
    tolerances = try Self.elements(sums.count) {
      gamma(terms + 2) * magnitudes.referenceElement(geometry, pass, $0)
    }
    let (first, second) =
      switch pass {
      case .forward: (magnitudes.x, magnitudes.w)
      case .backwardData: (magnitudes.dy, magnitudes.w)
      case .backwardWeights: (magnitudes.x, magnitudes.dy)
      }
    func largest(_ tensor: HostTensor<Float>) -> Double { Double(tensor.elements.max() ?? 0) }
    largestProduct = largest(first) * largest(second)
    biasRounding = pass == .forward ? unitRoundoff * sums.reduce(0) { max($0, abs($1)) } : 0
  }

  /// Of Winograd's, which mixes the terms of neighbouring sums; for windows that it serves.
  private var winogradTolerance: Double {
    WinogradBound.allowed * WinogradBound.bound(pass, geometry, largest: largestProduct) + biasRounding
  }

  /// Runs an algorithm as a program of its own; nil if it refuses the geometry.
  /// - Parameter share: the part of the tolerance that errors may take.
  func agreement(
    _ algorithm: ConvolutionAlgorithm, _ kernels: any KernelSet.Type, workers: Int, share: Double
  ) throws(TesseraError) -> Agreement? {
    guard kernels.refusal(algorithm, pass, geometry, numerics: .fast) == nil else { return nil }
    let options = Program.Options(instructionSet: kernels.instructionSet, algorithm: algorithm)
    // An element that isn't written shows.
    for index in operands.result.elements.indices { operands.result.elements[index] = .nan }
    try LayerBenchmark(problem, pass, operands, workers: workers, options: options).run()
    let winograd = algorithm == .winograd ? winogradTolerance : nil
    var agreement = Agreement()
    agreement.compare(
      "\(pass.rawValue) of \(geometry.summary)", count: sums.count,
      found: { Double(operands.result.elements[$0]) }, expected: { sums[$0] },
      tolerance: { share * (winograd ?? tolerances[$0]) })
    return agreement
  }

  /// Elements that are computed one by one, on all cores.
  private static func elements(
    _ count: Int, _ element: @escaping @Sendable (Int) -> Double
  ) throws(TesseraError) -> [Double] {
    let values = try HostTensor<Double>(count) { _ in 0 }
    let chunk = 256
    DispatchQueue.concurrentPerform(iterations: (count + chunk - 1) / chunk) { part in
      for index in part * chunk..<min(count, (part + 1) * chunk) { values.elements[index] = element(index) }
    }
    return Array(values.elements)
  }
}

extension ConvolutionGeometry {
  /// The most products in a sum of a pass.
  fileprivate func terms(_ pass: ConvolutionPass) -> Int {
    switch pass {
    case .forward: r * s * channelsPerGroup
    case .backwardData: r * s * filtersPerGroup
    case .backwardWeights: n * p * q
    }
  }

  /// In one line, for reports.
  var summary: String {
    "n\(n) h\(h) w\(w) c\(c) k\(k) r\(r) s\(s) stride \(strideY)x\(strideX) dilation \(dilationY)x\(dilationX) "
      + "padding \(padTop),\(padLeft),\(padBottom),\(padRight) groups \(groups)"
  }
}
