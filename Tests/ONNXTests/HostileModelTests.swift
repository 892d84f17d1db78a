import Foundation
import Tessera
import TesseraONNX
import Testing

/// Files that are wrong on purpose: each is an error with its place, and takes no memory that it doesn't hold.
@Suite struct HostileModelTests {
  private typealias Writer = ModelWriter

  private func failure(_ bytes: Data, folder: String? = nil) -> TesseraError? {
    do throws(TesseraError) {
      _ = try ONNXModel(bytes: bytes, file: "m.onnx", folder: folder).imported()
      return nil
    } catch {
      return error
    }
  }

  private func failure(
    _ nodes: [Writer.Message], initializers: [Writer.Message] = [], inputs: [(String, [Int])] = [("x", [1, 2, 4, 4])]
  ) -> TesseraError? {
    failure(Writer.model(Writer.graph(nodes, initializers: initializers, inputs: inputs)))
  }

  @Test func aTruncatedFileSaysWhere() throws {
    let whole = Writer.model(
      Writer.graph(
        [Writer.node("Relu", ["x"], ["y"])], initializers: [Writer.tensor("w", [64], Array(repeating: 1, count: 64))]))
    #expect(failure(whole) == nil)
    for count in [1, 9, whole.count / 2, whole.count - 1] {
      let error = try #require(failure(whole.prefix(count)))
      #expect(error.code == .invalidFile)
      #expect(error.location.hasPrefix("m.onnx"), "\(error)")
    }
    #expect(try #require(failure(whole.prefix(whole.count - 1))).location.contains("byte"))
    #expect(try #require(failure(Data())).location == "m.onnx: graph")
  }

  @Test func dimensionsThatDontFit() throws {
    let relu = Writer.node("Relu", ["x"], ["y"])
    for shape in [[-1], [1 << 62, 4], [1 << 40, 1 << 40], Array(repeating: 1, count: 9), [3]] {
      let error = try #require(failure([relu], initializers: [Writer.tensor("w", shape, [1, 2])]))
      #expect(error.location.contains("initializer w"), "\(error)")
    }
    for shape in [[-1, 2, 4, 4], [1 << 62, 1 << 62, 4, 4], Array(repeating: 2, count: 9)] {
      #expect(failure([relu], inputs: [("x", shape)])?.code == .invalidShape)
    }
  }

  @Test func nodesThatReadWhatIsntThere() throws {
    let missing = try #require(failure([Writer.node("Relu", ["nothing"], ["y"])]))
    #expect(missing.location == "m.onnx: node n (Relu): input")
    let cycle = try #require(
      failure([
        Writer.node("Add", ["x", "b"], ["a"]), Writer.node("Relu", ["a"], ["b"]), Writer.node("Relu", ["b"], ["y"]),
      ]))
    #expect(cycle.expected.contains("cycles"))
    #expect(failure([Writer.node("Relu", ["x"], ["y"]), Writer.node("Relu", ["x"], ["y"])])?.code == .duplicateName)
    #expect(failure([Writer.node("Relu", [], ["y"])])?.code == .invalidFile)
    #expect(failure([Writer.node("Relu", ["x"], ["z"])])?.location == "m.onnx: output")
  }

  @Test func oneErrorListsAllThatIsMissing() throws {
    let error = try #require(
      failure([
        Writer.node("Frobnicate", ["x"], ["a"], name: "first"), Writer.node("Relu", ["a"], ["b"], name: "between"),
        Writer.node("Hardmax", ["b"], ["c"], name: "second"), Writer.node("Frobnicate", ["c"], ["y"], name: "third"),
      ]))
    #expect(error.code == .unsupported)
    for name in ["Frobnicate", "first", "third", "Hardmax", "second"] { #expect(error.found.contains(name)) }
    #expect(!error.found.contains("between"))
  }

  @Test func attributesOutOfRange() {
    let weights = Writer.tensor("w", [1, 2, 1, 1], [1, 2])
    for attribute in [
      Writer.attribute("strides", [0, 1]), Writer.attribute("strides", [1]), Writer.attribute("pads", [-1, 0, 0, 0]),
      Writer.attribute("dilations", [1 << 62, 1]), Writer.attribute("group", 0),
      Writer.attribute("kernel_shape", [3, 3]),
      Writer.attribute("strides", 1), Writer.attribute("pads", [1 << 62, 1 << 62, 1 << 62, 1 << 62]),
    ] {
      let error = failure([Writer.node("Conv", ["x", "w"], ["y"], [attribute])], initializers: [weights])
      #expect(error != nil)
      #expect(error?.location.contains("node n (Conv)") == true, "\(String(describing: error))")
    }
    for (type, attribute) in [
      ("Softmax", Writer.attribute("axis", 4)), ("Flatten", Writer.attribute("axis", -5)),
      ("Transpose", Writer.attribute("perm", [0, 0, 1, 2])), ("Concat", Writer.attribute("axis", 1 << 40)),
      ("DepthToSpace", Writer.attribute("blocksize", 1 << 33)), ("LRN", Writer.attribute("size", 1 << 40)),
      ("MaxPool", Writer.attribute("kernel_shape", [1 << 31, 1])),
      ("LpPool", Writer.attribute("kernel_shape", [0, 0])),
      ("Elu", Writer.attribute("alpha", Float.nan)),
    ] {
      #expect(failure([Writer.node(type, ["x"], ["y"], [attribute])]) != nil, "\(type)")
    }
  }

  /// Small files that ask for much: refused, or described without being made.
  @Test func shapesThatTheFileDoesntJustify() {
    func withShape(_ type: String, _ shape: [Int]) -> TesseraError? {
      failure([Writer.node(type, ["x", "s"], ["y"])], initializers: [Writer.tensor("s", integers: shape)])
    }
    #expect(withShape("Tile", [1, 1, 1 << 40, 1]) != nil)
    #expect(withShape("Pad", [0, 0, 1 << 40, 0, 0, 0, 0, 0]) != nil)
    #expect(withShape("Pad", [0, 0, .min, 0, 0, 0, 0, 0]) != nil)
    #expect(withShape("Reshape", [1 << 40, -1]) != nil)
    #expect(withShape("Expand", [1 << 62, 2, 4, 4]) != nil)
    #expect(
      failure(
        [Writer.node("ConstantOfShape", ["s"], ["c"]), Writer.node("Add", ["x", "c"], ["y"])],
        initializers: [Writer.tensor("s", integers: [1 << 30, 1 << 20])]) != nil)
    let scalars = [0, 1 << 40, 1].enumerated().map {
      Writer.tensor("r\($0)", [], type: 7, raw: withUnsafeBytes(of: $1) { Data($0) })
    }
    #expect(
      failure(
        [Writer.node("Range", ["r0", "r1", "r2"], ["c"]), Writer.node("Reshape", ["x", "c"], ["y"])],
        initializers: scalars) != nil)
    // Each doubles what the one before made.
    let doubling = (0..<64).map {
      Writer.node("Concat", ["c\($0)", "c\($0)"], ["c\($0 + 1)"], name: "n\($0)", [Writer.attribute("axis", 0)])
    }
    #expect(
      failure(
        doubling + [Writer.node("Reshape", ["x", "c64"], ["y"])], initializers: [Writer.tensor("c0", integers: [1])])
        != nil)
  }

  @Test func deepNestingIsRefused() {
    var graph = Writer.graph([])
    for _ in 0..<10_000 {
      let attribute = Writer.field(1, "body") + Writer.field(20, 5) + Writer.field(6, graph)
      graph = Writer.graph([Writer.node("Loop", ["x"], ["y"], [attribute])], inputs: [])
    }
    #expect(failure(Writer.model(graph))?.code == .invalidFile)
  }

  @Test func externalDataStaysInItsFolder() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("onnx-\(UUID().uuidString)")
    let inner = folder.appendingPathComponent("model")
    try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let bytes = [Float(1), 2].withUnsafeBytes { Data($0) }
    try bytes.write(to: inner.appendingPathComponent("weights"))
    try bytes.write(to: folder.appendingPathComponent("secret"))
    try FileManager.default.createSymbolicLink(
      at: inner.appendingPathComponent("link"), withDestinationURL: folder.appendingPathComponent("secret"))
    func load(_ entries: [String: String], shape: [Int] = [2]) -> TesseraError? {
      let graph = Writer.graph(
        [Writer.node("Add", ["x", "w"], ["y"])], initializers: [Writer.external("w", shape, entries)],
        inputs: [("x", [1, 2])])
      return failure(Writer.model(graph), folder: inner.path)
    }
    #expect(load(["location": "weights"]) == nil)
    #expect(load(["location": "weights", "offset": "4", "length": "4"], shape: [1]) == nil)
    for name in ["../secret", "link", folder.appendingPathComponent("secret").path, "a/../../secret", "", ".", "none"] {
      #expect(load(["location": name])?.code == .invalidFile, "\(name)")
    }
    for (offset, length) in [
      ("4", "8"), ("-4", "8"), ("9223372036854775807", "8"), ("0", "7"), ("x", "8"), ("0", "1e3"),
    ] {
      #expect(load(["location": "weights", "offset": offset, "length": length])?.code == .invalidFile)
    }
    #expect(load([:])?.code == .invalidFile)
  }
}
