import Tessera
import TesseraKernels
import TesseraVerification

/// What a group of checks found on one instruction set: one line of the report.
struct VerificationResult: Record {
  static let recordName = "verification"
  let isa: String
  /// What was checked: the algorithm and pass of convolutions, a family of operations, or determinism.
  let group: String
  private(set) var problems = 0
  /// Elements compared with the reference; 0 where checksums are compared.
  private(set) var elements = 0
  private(set) var failures = 0
  /// The largest error, as a part of its tolerance.
  private(set) var worstShare = 0.0

  init(isa: String, group: String) { (self.isa, self.group) = (isa, group) }

  enum CodingKeys: String, CodingKey {
    case isa, group, problems, elements, failures
    case worstShare = "worst_share"
  }

  mutating func add(_ agreement: Agreement) {
    problems += 1
    elements += agreement.count
    worstShare = max(worstShare, agreement.worstShare)
    if agreement.deviation != nil { failures += 1 }
  }

  mutating func add(failed: Bool) {
    problems += 1
    if failed { failures += 1 }
  }
}

/// One check that failed.
struct VerificationFailure: Record {
  static let recordName = "verification_failure"
  let isa: String
  let group: String
  let problem: String
  let found: String
}

/// Checks every kernel of this machine's instruction sets against references in double precision, and that results don't
/// depend on the number of workers.
struct Verification {
  let extent: Problems.Extent
  let instructionSets: [InstructionSet]
  let workers: Int
  /// The part of each tolerance that errors may take.
  let share: Double
  /// Of sizes and values.
  private let seed: UInt64
  /// Called before each problem.
  var progress: (String) -> Void = { _ in }
  /// Called for each check that fails.
  var failed: (VerificationFailure) throws -> Void = { _ in }

  init(extent: Problems.Extent, instructionSets: [InstructionSet], workers: Int, share: Double, seed: UInt64) {
    (self.extent, self.instructionSets, self.workers, self.share) = (extent, instructionSets, workers, share)
    self.seed = seed
    geometries = Self.geometries(extent, seed: seed)
  }

  /// For every algorithm some that it serves.
  private static func geometries(_ extent: Problems.Extent, seed: UInt64) -> [ConvolutionGeometry] {
    let isShort = extent == .short
    let largest = isShort ? 3e5 : 3e6
    var all = GeneratedGeometries.random(count: isShort ? 40 : 350, seed: 2026 &+ seed, maximumFlops: largest)
    all += GeneratedGeometries.narrowGroups(count: isShort ? 10 : 80)
    for window in [3, 5] {
      all += GeneratedGeometries.winograd(window: window, rounds: 1, seed: 4 &+ seed, maximumFlops: 2 * largest)
    }
    if let kernels = KernelCatalogue.kernels(for: KernelCatalogue.best) {
      all += GeneratedGeometries.pixelBlock(kernels, count: isShort ? 30 : 120, maximumFlops: largest)
    }
    // Batches of no image have nothing to compare.
    return all.filter { $0.n > 0 } + GeneratedGeometries.chosen.filter { !isShort || $0.flops < 2e6 }
  }

  private let geometries: [ConvolutionGeometry]

  /// How many times ``progress`` is called.
  var stepCount: Int {
    geometries.count + Problems.groups(extent).reduce(0) { $0 + $1.problems.count } + UpdateProblem.all.count
      + instructionSets.reduce(0) { $0 + Self.networks(extent, $1).count * NetworkMode.allCases.count }
  }

  // MARK: Convolutions

  /// All algorithms, all passes.
  func convolutions() throws -> [VerificationResult] {
    var results = Results()
    for geometry in geometries {
      try Interruption.check()
      progress("convolution \(geometry.summary)")
      for pass in ConvolutionPass.allCases {
        let check = try ConvolutionCheck(geometry, pass, seed: seed)
        for set in instructionSets {
          guard let kernels = KernelCatalogue.kernels(for: set) else { continue }
          for algorithm in ConvolutionAlgorithm.allCases {
            guard let agreement = try check.agreement(algorithm, kernels, workers: workers, share: share) else {
              continue
            }
            try add(agreement, geometry.summary, set, "\(algorithm.rawValue) \(pass.rawValue)", to: &results)
          }
        }
      }
    }
    return results.sorted(instructionSets)
  }

  // MARK: Operations

  /// Every family of operations in programs with all their gradients, and updates.
  func operations() throws -> [VerificationResult] {
    var results = Results()
    for (group, problems) in Problems.groups(extent) {
      for problem in problems {
        try Interruption.check()
        progress("\(problem)")
        let expectation = try Expectation(problem)
        for set in instructionSets {
          let options = Program.Options(instructionSet: set, numerics: .exact)
          let agreement = try expectation.agreement(of: options, workers: workers, share: share)
          try add(agreement, "\(problem)", set, group, to: &results)
        }
      }
    }
    for problem in UpdateProblem.all {
      try Interruption.check()
      progress("\(problem)")
      for set in instructionSets {
        let agreement = try problem.agreement(of: Program.Options(instructionSet: set), workers: workers, share: share)
        try add(agreement, "\(problem)", set, "updates", to: &results)
      }
    }
    return results.sorted(instructionSets)
  }

  // MARK: Determinism

  /// Networks whose checksums are compared: small ones, and on the best instruction set larger ones too.
  private static func networks(_ extent: Problems.Extent, _ set: InstructionSet) -> [(name: String, batch: Int)] {
    let small = [("digits_cnn", 6), ("lenet5", 5)]
    guard extent == .full else { return small }
    let large = [("resnet18", 2), ("mobilenet_v2", 1), ("unet", 1)]
    return small + [("cifar_cnn", 5)] + (set == KernelCatalogue.best ? large : [])
  }

  /// One worker, two, an odd number, all, and more than there are cores.
  private var workerCounts: [Int] { Set([1, 2, 3, workers, 2 * workers + 1]).sorted() }

  /// The bits of outputs, and of all parameters after three training steps, for several numbers of workers.
  func determinism() throws -> [VerificationResult] {
    var results = Results()
    for set in instructionSets {
      for (name, batch) in Self.networks(extent, set) {
        for mode in NetworkMode.allCases {
          progress("\(name), \(mode.rawValue), \(set)")
          var checksums: [String] = []
          for workers in workerCounts {
            try Interruption.check()
            checksums.append(
              try NetworkBenchmark(
                NetworkSource(name), batch: batch, mode: mode, seed: seed, workers: workers,
                options: Program.Options(instructionSet: set)
              ).checksum())
          }
          let isSame = Set(checksums).count == 1
          results[set, "determinism"].add(failed: !isSame)
          if !isSame {
            let found = zip(workerCounts, checksums).map { "\($0) workers \($1)" }.joined(separator: ", ")
            try failed(
              VerificationFailure(
                isa: set.name, group: "determinism", problem: "\(name), batch \(batch), \(mode.rawValue)",
                found: "checksums \(found)"))
          }
        }
      }
    }
    return results.sorted(instructionSets)
  }

  // MARK: Results

  private func add(
    _ agreement: Agreement, _ problem: String, _ set: InstructionSet, _ group: String, to results: inout Results
  ) throws {
    results[set, group].add(agreement)
    guard let deviation = agreement.deviation else { return }
    try failed(VerificationFailure(isa: set.name, group: group, problem: problem, found: deviation))
  }

  /// By instruction set, and group in the order in which these first appear.
  private struct Results {
    private var all: [VerificationResult] = []

    subscript(_ set: InstructionSet, _ group: String) -> VerificationResult {
      get {
        all.first { $0.isa == set.name && $0.group == group } ?? VerificationResult(isa: set.name, group: group)
      }
      set(result) {
        if let index = all.firstIndex(where: { $0.isa == result.isa && $0.group == result.group }) {
          all[index] = result
        } else {
          all.append(result)
        }
      }
    }

    func sorted(_ sets: [InstructionSet]) -> [VerificationResult] {
      sets.flatMap { set in all.filter { $0.isa == set.name } }
    }
  }
}
