import Foundation
import Tessera
import TesseraKernels
import TesseraVerification
import Testing

/// Choices decide where they hold a convolution, can be saved and loaded, and damaged files are errors with their place.
@Suite struct KernelChoicesTests {
  private static let geometry = ConvolutionGeometry(
    n: 2, h: 12, w: 11, c: 16, k: 24, r: 3, s: 3, padTop: 1, padLeft: 1, padBottom: 1, padRight: 1)

  private func convolution(
    _ pass: ConvolutionPass, _ geometry: ConvolutionGeometry = geometry, numerics: Numerics = .fast,
    set: InstructionSet = KernelCatalogue.best
  ) -> KernelChoices.Convolution {
    KernelChoices.Convolution(pass: pass, geometry: geometry, numerics: numerics, instructionSet: set)
  }

  /// The three passes of one convolution: nodes y, dx and dw.
  private func graph() throws -> Graph {
    let g = Self.geometry
    let window = ResolvedWindow2D(kernel: Size2D(3), top: 1, left: 1, bottom: 1, right: 1)
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([g.n, g.h, g.w, g.c]))
    let w = try graph.addInput("w", TensorType([g.r, g.s, g.c, g.k]))
    let dy = try graph.addInput("dy", TensorType([g.n, g.p, g.q, g.k]))
    let results = [
      ("y", try graph.apply(Convolution2D(window: window), x, w, name: "y")),
      (
        "dx",
        try graph.apply(
          ConvolutionBackwardData(window: window, inputHeight: g.h, inputWidth: g.w), dy, w, name: "dx")
      ),
      ("dw", try graph.apply(ConvolutionBackwardWeights(window: window), x, dy, name: "dw")),
    ]
    for (name, value) in results { try graph.addOutput(name, value) }
    return graph
  }

  private func kernels(_ program: Program) -> [String: String] {
    Dictionary(program.kernelSummary.map { ($0.node, $0.kernel) }) { first, _ in first }
  }

  private func results(_ program: Program) throws -> [String: [Float]] {
    let g = Self.geometry
    var random = TestRandom(3)
    func tensor(_ shape: Shape) throws -> Tensor {
      try Tensor(random.normals(shape.count).map(Float.init), shape: shape)
    }
    let inputs = [
      "x": try tensor([g.n, g.h, g.w, g.c]), "w": try tensor([g.r, g.s, g.c, g.k]),
      "dy": try tensor([g.n, g.p, g.q, g.k]),
    ]
    return try Session(program, store: ParameterStore(), workers: 2).run(inputs).mapValues { try $0.elements() }
  }

  @Test func aProgramTellsWhatItWasCompiledWith() throws {
    let program = try Program(graph())
    let choices = program.choices
    #expect(choices.count == 3)
    #expect(choices.caches == Machine.current.caches)
    for (pass, node) in zip(ConvolutionPass.allCases, ["y", "dx", "dw"]) {
      let algorithm = try #require(choices[convolution(pass)])
      #expect(kernels(program)[node]?.contains(".\(algorithm.rawValue)") == true)
    }
    #expect(try Program(graph(), options: .init(usesReferenceKernels: true)).choices.count == 0)
    let named = try Program(graph(), options: .init(algorithm: .im2col)).choices
    #expect(named.sorted.map(\.algorithm) == [.im2col, .im2col, .im2col])
  }

  /// Saved, loaded and compiled with again, the same kernels give the same bits, whatever the cost model prefers.
  @Test(arguments: [ConvolutionAlgorithm.direct, .winograd, .im2col])
  func savedChoicesGiveTheSameBits(_ algorithm: ConvolutionAlgorithm) throws {
    let first = try Program(graph(), options: .init(algorithm: algorithm))
    try withFile { path in
      try first.choices.write(to: path)
      let loaded = try KernelChoices(contentsOf: path)
      #expect(loaded == first.choices)
      let second = try Program(graph(), options: .init(choices: loaded))
      #expect(second.choices == first.choices)
      #expect(kernels(second) == kernels(first))
      #expect(try results(second) == results(first))
    }
  }

  @Test(arguments: ConvolutionPass.allCases, ["y", "dx", "dw"])
  func eachChoiceDecidesForItsPass(_ pass: ConvolutionPass, _ node: String) throws {
    var choices = KernelChoices()
    choices[convolution(pass)] = .im2col
    let kernel = try #require(kernels(Program(graph(), options: .init(choices: choices)))[node])
    let modelled = try #require(kernels(Program(graph()))[node])
    let isChosen = ["y", "dx", "dw"][ConvolutionPass.allCases.firstIndex(of: pass) ?? 0] == node
    #expect(isChosen ? kernel.contains(".im2col.") : kernel == modelled)
  }

  /// Other numerics, another instruction set or another batch: not this convolution.
  @Test func choicesForOthersAreNotUsed() throws {
    let modelled = kernels(try Program(graph()))
    var batch = Self.geometry
    batch.n += 1
    let other = try #require(InstructionSet.all.first { $0 != KernelCatalogue.best })
    for pass in ConvolutionPass.allCases {
      for convolution in [
        convolution(pass, batch), convolution(pass, numerics: .exact), convolution(pass, set: other),
      ] {
        var choices = KernelChoices()
        choices[convolution] = .im2col
        #expect(kernels(try Program(graph(), options: .init(choices: choices))) == modelled)
      }
    }
  }

  @Test func theOptionOverrulesChoices() throws {
    var choices = KernelChoices()
    choices[convolution(.forward)] = .im2col
    let program = try Program(graph(), options: .init(algorithm: .direct, choices: choices))
    #expect(kernels(program)["y"]?.contains(".direct.") == true)
    #expect(program.choices[convolution(.forward)] == .direct)
  }

  /// Blocking follows from the caches of the choices, so that another machine sums in the same order.
  @Test func cachesComeFromTheChoices() throws {
    let tiny = CacheSizes(level1Bytes: 4 << 10, level2Bytes: 8 << 10, level3Bytes: 16 << 10)
    let choices = KernelChoices(caches: tiny)
    #expect(try Program(graph(), options: .init(choices: choices)).choices.caches == tiny)
  }

  @Test func aChoiceThatRefusesIsAnError() throws {
    var choices = KernelChoices()
    choices[convolution(.backwardWeights)] = .pixelBlock
    let error = #expect(throws: TesseraError.self) { try Program(graph(), options: .init(choices: choices)) }
    #expect(error?.code == .unsupported)
    #expect(error?.location == "dw")
    #expect(error?.found.contains("backward-weights") == true)
  }

  // MARK: Files

  private func withFile(_ body: (String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("choices-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(directory.appendingPathComponent("choices.json").path)
    // Nothing half-written stays beside it.
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0 != "choices.json" } == [])
  }

  private static var sample: KernelChoices {
    var choices = KernelChoices(caches: .typical)
    choices.processorName = "a \"quoted\" \\ processor"
    var strided = geometry
    (strided.strideY, strided.strideX, strided.padBottom) = (2, 3, 0)
    for set in InstructionSet.all {
      for pass in ConvolutionPass.allCases {
        choices[.init(pass: pass, geometry: geometry, numerics: .fast, instructionSet: set)] = .winograd
        choices[.init(pass: pass, geometry: strided, numerics: .exact, instructionSet: set)] = .direct
      }
    }
    return choices
  }

  @Test func filesAreSortedOneChoiceALine() throws {
    let text = Self.sample.json
    #expect(try KernelChoices(json: Array(text.utf8), source: "file") == Self.sample)
    #expect(Self.sample.json == text)
    #expect(text.split(separator: "\n").count == 18 + 8)
    let empty = KernelChoices(caches: .typical)
    #expect(try KernelChoices(json: Array(empty.json.utf8), source: "file") == empty)
  }

  /// What is replaced in a file of one choice, by what, and what the error must hold.
  static let damages: [(String, String, [String])] = [
    ("\"schema\": 1", "\"schema\": 2", ["file, schema", "expected 1", "found 2"]),
    ("\"schema\": 1", "\"schema\": \"1\"", ["file, schema"]),
    ("\"schema\": 1,", "", ["file, schema", "found none"]),
    ("\"schema\"", "schema", ["file: ", "JSON"]),
    ("]\n}", "", ["file: ", "JSON"]),
    ("\"caches\"", "\"cashes\"", ["file, caches", "found none"]),
    ("\"level2\":524288", "\"level2\":0", ["file, caches.level2", "found 0"]),
    ("\"level2\":524288", "\"level2\":1e300", ["file, caches.level2"]),
    ("\"algorithm\":\"winograd\"", "\"algorithm\":\"fft\"", ["choices[0].algorithm", "one of direct", "\"fft\""]),
    ("\"algorithm\":\"winograd\"", "\"algorithm\":\"pixel-block\"", ["choices[0].algorithm", "refuses", "forward"]),
    ("\"numerics\":\"fast\"", "\"numerics\":\"exact\"", ["choices[0].algorithm", "winograd", "refuses"]),
    ("\"numerics\":\"fast\"", "\"numerics\":\"wild\"", ["choices[0].numerics", "exact, fast"]),
    ("\"pass\":\"forward\"", "\"pass\":\"sideways\"", ["choices[0].pass", "\"sideways\""]),
    ("\"isa\":\"baseline\"", "\"isa\":\"sse9\"", ["choices[0].isa", "baseline, avx2, avx512", "\"sse9\""]),
    ("\"k\":24", "\"k\":24.5", ["choices[0].k"]),
    ("\"k\":24", "\"k\":-24", ["choices[0]", "0 or more"]),
    ("\"k\":24", "\"k\":9999999999999999999999", ["choices[0].k"]),
    ("\"k\":24", "\"k\":9223372036854775807", ["choices[0]"]),
    ("\"h\":12", "\"h\":0", ["choices[0]"]),
    ("\"r\":3", "\"r\":0", ["choices[0]", "kernel of 1"]),
    ("\"s\":3,", "", ["choices[0].s", "found none"]),
    ("\"stride\":[1,1]", "\"stride\":[0,1]", ["choices[0]", "stride"]),
    ("\"stride\":[1,1]", "\"stride\":[1]", ["choices[0].stride", "2 numbers", "found 1"]),
    ("\"pad\":[1,1,1,1]", "\"pad\":[1,1,1,-1]", ["choices[0]", "padding"]),
    ("\"groups\":1", "\"groups\":5", ["choices[0].groups", "found 5"]),
    ("\"groups\":1", "\"groups\":0", ["choices[0].groups", "found 0"]),
  ]

  @Test(arguments: damages)
  func damagedFilesAreErrorsWithTheirPlace(_ old: String, _ new: String, _ fragments: [String]) throws {
    var choices = KernelChoices(caches: .typical)
    choices[convolution(.forward, set: .baseline)] = .winograd
    let text = choices.json
    try #require(text.contains(old))
    let error = #expect(throws: TesseraError.self) {
      try KernelChoices(json: Array(text.replacingOccurrences(of: old, with: new).utf8), source: "file")
    }
    #expect(error?.code == .invalidFile)
    let description = error?.description ?? ""
    for fragment in fragments { #expect(description.contains(fragment), "\(description)") }
    #expect(error?.description.contains("\n") == false)
  }

  /// Strides that a graph takes, and whose product doesn't fit an integer.
  @Test func hugeStridesAreRefused() throws {
    var choices = KernelChoices(caches: .typical)
    choices[convolution(.backwardData, set: .baseline)] = .pixelBlock
    let stride = Int.max / 8
    let text = choices.json.replacingOccurrences(of: "\"stride\":[1,1]", with: "\"stride\":[\(stride),\(stride)]")
    let error = #expect(throws: TesseraError.self) { try KernelChoices(json: Array(text.utf8), source: "file") }
    #expect(error?.location == "file, choices[0].algorithm")
  }

  @Test func whatAppearsTwiceIsAnError() throws {
    var choices = KernelChoices(caches: .typical)
    choices[convolution(.forward)] = .direct
    let line = try #require(choices.json.split(separator: "\n").first { $0.contains("\"pass\"") })
    let text = choices.json.replacingOccurrences(of: line, with: "\(line),\n\(line)")
    let error = #expect(throws: TesseraError.self) { try KernelChoices(json: Array(text.utf8), source: "file") }
    #expect(error?.location == "file, choices[1]")
  }

  /// Every beginning of a file and every other byte in it is an error or other choices, never a crash.
  @Test func anyBytesAreChoicesOrAnError() throws {
    var choices = KernelChoices(caches: .typical)
    choices[convolution(.forward)] = .direct
    let bytes = Array(choices.json.utf8)
    func read(_ bytes: [UInt8]) throws -> KernelChoices? {
      do { return try KernelChoices(json: bytes, source: "file") } catch {
        #expect(error.code == .invalidFile)
        return nil
      }
    }
    let end = bytes.count - 2
    for length in 0..<end { #expect(try read(Array(bytes.prefix(length))) == nil) }
    var random = TestRandom(11)
    for _ in 0..<(isShort ? 100 : 2000) {
      var damaged = bytes
      damaged[random.int(0...bytes.count - 1)] = UInt8(random.int(0...255))
      _ = try read(damaged)
    }
  }

  @Test func whatCannotBeReadOrWrittenIsAnError() throws {
    let choices = Self.sample
    for path in ["/no/such/place/choices.json", "/dev/null", NSTemporaryDirectory()] {
      let error = #expect(throws: TesseraError.self) { try choices.write(to: path) }
      #expect(error?.code == .invalidFile)
      #expect(error?.location == path)
    }
    let error = #expect(throws: TesseraError.self) { try KernelChoices(contentsOf: "/no/such/choices.json") }
    #expect(error?.location == "/no/such/choices.json")
    try withFile { path in
      try choices.write(to: path)
      try KernelChoices(caches: .typical).write(to: path)
      #expect(try KernelChoices(contentsOf: path).count == 0)
    }
  }
}
