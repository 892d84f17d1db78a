import Foundation
import Tessera
import TesseraONNX

/// How a test ended.
enum ConformanceStatus: String, Encodable {
  case passed, failed, unsupported
}

/// One line of the report.
struct ConformanceResult: Record {
  static let recordName = "conformance"

  let test: String
  /// The operators of the model, each once.
  let operators: [String]
  let status: ConformanceStatus
  /// Empty for a test that passed.
  let reason: String
}

/// A folder in the format of the ONNX backend tests: a model, and folders of inputs with what it makes of them.
struct ConformanceTest {
  let folder: URL

  var name: String { folder.lastPathComponent }

  /// The tests that a folder is or holds, by name.
  static func tests(in path: String) throws(TesseraError) -> [ConformanceTest] {
    let folder = URL(fileURLWithPath: path)
    if isTest(folder) { return [ConformanceTest(folder: folder)] }
    let tests = entries(folder).filter(isTest).map { ConformanceTest(folder: $0) }
    guard !tests.isEmpty else {
      throw TesseraError(
        .notFound, at: path, expected: "a folder with model.onnx, or one of such folders", found: "none")
    }
    return tests
  }

  private static func isTest(_ folder: URL) -> Bool {
    FileManager.default.fileExists(atPath: folder.appendingPathComponent("model.onnx").path)
  }

  private static func entries(_ folder: URL) -> [URL] {
    let entries = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    return (entries ?? []).sorted { $0.lastPathComponent < $1.lastPathComponent }
  }

  /// Runs the model on each of its data sets.
  func run(options: Program.Options, workers: Int) -> ConformanceResult {
    var operators: [String] = []
    do throws(TesseraError) {
      let model = try ONNXModel(path: folder.appendingPathComponent("model.onnx").path)
      operators = model.operators
      var count = 0
      for data in Self.entries(folder) where data.lastPathComponent.hasPrefix("test_data_set_") {
        try check(model, data, options, workers)
        count += 1
      }
      guard count > 0 else {
        throw TesseraError(.notFound, at: folder.path, expected: "a test_data_set_0", found: "none")
      }
      return result(operators, .passed, "")
    } catch {
      return result(operators, error.code == .unsupported ? .unsupported : .failed, "\(error)")
    }
  }

  private func result(_ operators: [String], _ status: ConformanceStatus, _ reason: String) -> ConformanceResult {
    ConformanceResult(
      test: name, operators: operators, status: status,
      // Paths say nothing that the test's name doesn't.
      reason: reason.replacing(folder.path + "/", with: ""))
  }

  private func check(_ model: ONNXModel, _ data: URL, _ options: Program.Options, _ workers: Int) throws(TesseraError) {
    for port in model.inputs + model.outputs where port.element == nil {
      throw TesseraError(
        .unsupported, at: port.name, expected: "a tensor of float32, float64, int32, int64, uint8 or bool",
        found: "another type")
    }
    var inputs: [String: Tensor] = [:]
    for (index, port) in model.inputs.enumerated() {
      let path = data.appendingPathComponent("input_\(index).pb").path
      // An input that has no file takes its default.
      if FileManager.default.fileExists(atPath: path) { inputs[port.name] = try ONNXTensor.read(path: path) }
    }
    var importing = ImportOptions(shapes: inputs.mapValues(\.shape))
    for name in model.shapeInputs { importing.fixedInputs[name] = inputs.removeValue(forKey: name) }
    let session = try model.imported(importing).session(options: options, workers: workers)
    let outputs = try session.run(inputs)
    for (index, port) in model.outputs.enumerated() {
      let expected = try ONNXTensor.read(path: data.appendingPathComponent("output_\(index).pb").path)
      guard let found = outputs[port.name] else {
        throw TesseraError(.notFound, at: port.name, expected: "an output", found: "none")
      }
      try Tolerance(model).check(found, expected, at: "\(data.lastPathComponent) \(port.name)")
    }
  }
}

/// How near to what a test expects results have to be.
private struct Tolerance {
  /// More nodes than this are a network: errors add up, and are compared with its largest output.
  private let isNetwork: Bool

  init(_ model: ONNXModel) { isNetwork = model.nodeCount > 10 }

  func check(_ found: Tensor, _ expected: Tensor, at location: String) throws(TesseraError) {
    guard found.type == expected.type else {
      throw TesseraError(.shapeMismatch, at: location, expected: "\(expected.type)", found: "\(found.type)")
    }
    switch expected.type.element {
    case .float32:
      try check(
        found.elements(as: Float.self).map(Double.init), expected.elements(as: Float.self).map(Double.init), location)
    case .float64: try check(found.elements(as: Double.self), expected.elements(as: Double.self), location)
    default:
      let isEqual = found.withUnsafeBytes { found in
        expected.withUnsafeBytes { expected in found.elementsEqual(expected) }
      }
      guard isEqual else {
        throw TesseraError(.invalidData, at: location, expected: "equal elements", found: "others")
      }
    }
  }

  private func check(_ found: [Double], _ expected: [Double], _ location: String) throws(TesseraError) {
    let largest = expected.filter(\.isFinite).reduce(0) { max($0, abs($1)) }
    for (index, (y, e)) in zip(found, expected).enumerated() {
      let isNear =
        e.isFinite
        ? abs(y - e) <= (isNetwork ? 1e-4 * largest : 1e-7 + 1e-3 * abs(e)) : e.isNaN ? y.isNaN : y == e
      guard isNear else {
        throw TesseraError(.invalidData, at: "\(location)[\(index)]", expected: "\(e)", found: "\(y)")
      }
    }
  }
}
