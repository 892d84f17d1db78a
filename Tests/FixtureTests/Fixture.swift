import Foundation
import Tessera
import TesseraKernels

/// An array as the fixtures hold it: row-major, in Tessera's layouts.
struct FixtureArray: Decodable, Sendable {
  let shape: [Int]
  let values: [Double]

  func tensor(_ element: ElementType) throws -> Tensor {
    element == .float64
      ? try Tensor(values, shape: Shape(shape)) : try Tensor(values.map(Float.init), shape: Shape(shape))
  }
}

/// An operation, and what PyTorch made of it.
struct OperationFixture: Decodable, Sendable, CustomStringConvertible {
  struct Attributes: Decodable, Sendable {
    let filters: Int?
    let kernel: [Int]?
    let stride: [Int]?
    let dilation: [Int]?
    /// Top, left, bottom, right.
    let padding: [Int]?
    let outputPadding: [Int]?
    let groups: Int?
    let hasBias: Bool?
    let activation: String?
    let countsPadding: Bool?
    let epsilon: Double?
    let alpha: Double?
    let beta: Double?
    let bias: Double?
    let momentum: Double?
    let training: Bool?
    /// The mean of the input in its deviations, where that decides the rounding error.
    let conditioning: Double?
    let reduction: String?
  }

  let name: String
  let operation: String
  let attributes: Attributes
  /// "x", parameters by the names that layers give them, and a loss' "target".
  let operands: [String: FixtureArray]
  let statistics: [String: FixtureArray]
  let labels: [Int32]?
  let y: FixtureArray
  /// The gradient of y from which the other gradients come; nil where only the result is compared.
  let dy: FixtureArray?
  let gradients: [String: FixtureArray]?
  /// The statistics after the run.
  let updates: [String: FixtureArray]

  var description: String { "\(operation): \(name)" }
}

/// Three steps of an optimizer with given gradients.
struct OptimizerFixture: Decodable, Sendable, CustomStringConvertible {
  struct Attributes: Decodable, Sendable {
    let rule: String
    let learningRate: Float
    let momentum: Double?
    let nesterov: Bool?
    let weightDecay: Double?
    let beta1: Double?
    let beta2: Double?
    let epsilon: Double?
  }

  struct Step: Decodable, Sendable {
    let gradient: FixtureArray
    /// After the step.
    let parameter: FixtureArray
    let states: [String: FixtureArray]
  }

  let name: String
  let attributes: Attributes
  let parameter: FixtureArray
  let steps: [Step]

  var description: String { name }
}

/// Training steps of a small network.
struct NetworkFixture: Decodable, Sendable {
  struct Step: Decodable, Sendable {
    let x: FixtureArray
    let labels: [Int32]
    let loss: Double
    let probabilities: FixtureArray
  }

  let learningRate: Float
  let momentum: Double
  let initial: [String: FixtureArray]
  let steps: [Step]
  let final: [String: FixtureArray]
}

/// The files that Tests/Fixtures/make-fixtures.py writes.
enum Fixtures {
  static let operations = Result { try load("operations", as: OperationFixture.self) }
  static let optimizers = Result { try load("optimizers", as: OptimizerFixture.self) }
  static let networks = Result { try load("network", as: NetworkFixture.self) }

  private static func load<Fixture: Decodable>(_ name: String, as: Fixture.Type) throws -> [Fixture] {
    let url = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../Fixtures/\(name).json")
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return try decoder.decode([Fixture].self, from: Data(contentsOf: url))
  }
}
