import TesseraGraph
import TesseraKernels

/// First values of variables. Random ones come from Philox with the store's seed as key and the variable's name as
/// stream, so they depend neither on the order of layers nor on the number of workers.
enum InitialValue {
  static func fill(_ memory: AlignedMemory, of variable: Variable, seed: UInt64)
    throws(TesseraError)
  {
    switch variable.type.element {
    case .float32: try fill(memory.bytes.bindMemory(to: Float.self), of: variable, seed: seed) { Float($0) }
    case .float64: try fill(memory.bytes.bindMemory(to: Double.self), of: variable, seed: seed) { $0 }
    case .int64:
      // The seed of a graph that draws random numbers is the store's.
      if variable.role == .counter && variable.name == "seed" {
        memory.bytes.bindMemory(to: Int64.self).update(repeating: Int64(bitPattern: seed))
      } else {
        try fill(memory.bytes.bindMemory(to: Int64.self), of: variable, seed: seed) {
          Int64(exactly: $0.rounded()) ?? 0
        }
      }
    default:
      throw TesseraError(
        .elementTypeMismatch, at: variable.name, expected: "float32, float64 or int64",
        found: "\(variable.type.element)")
    }
  }

  private static func fill<Element>(
    _ elements: UnsafeMutableBufferPointer<Element>, of variable: Variable, seed: UInt64,
    _ convert: (Double) -> Element
  ) throws(TesseraError) {
    var random = PhiloxGenerator(seed: seed, stream: StableHash.fnv1a(variable.name))
    let (fanIn, fanOut) = fans(of: variable.type.shape)
    switch variable.initializer.distribution {
    case .constant(let value): elements.update(repeating: convert(value))
    case .uniform(let bound): fillUniform(elements, bound, &random, convert)
    case .normal(let deviation): fillNormal(elements, deviation, &random, convert)
    case .glorotUniform:
      fillUniform(elements, (6 / Double(fanIn + fanOut)).squareRoot(), &random, convert)
    case .heNormal: fillNormal(elements, (2 / Double(fanIn)).squareRoot(), &random, convert)
    case .inverseFanIn: fillUniform(elements, 1 / Double(fanIn).squareRoot(), &random, convert)
    case .elements(let values):
      guard values.count == elements.count else {
        throw TesseraError(
          .shapeMismatch, at: variable.name, expected: "\(elements.count) initial elements",
          found: "\(values.count)")
      }
      for (index, value) in values.enumerated() { elements[index] = convert(value) }
    }
  }

  /// Inputs and outputs of one unit: the last dimension counts units, the one before it channels, all others the
  /// window.
  private static func fans(of shape: Shape) -> (fanIn: Int, fanOut: Int) {
    guard let outputs = shape.dimensions.last, outputs > 0 else { return (1, 1) }
    let inputs = shape.dimensions.dropLast().last ?? 1
    let window = shape.dimensions.dropLast(2).reduce(1, *)
    return (max(1, inputs * window), max(1, outputs * window))
  }

  private static func fillUniform<Element>(
    _ elements: UnsafeMutableBufferPointer<Element>, _ bound: Double,
    _ random: inout PhiloxGenerator, _ convert: (Double) -> Element
  ) {
    for index in elements.indices { elements[index] = convert(random.uniform(-bound, bound)) }
  }

  private static func fillNormal<Element>(
    _ elements: UnsafeMutableBufferPointer<Element>, _ deviation: Double,
    _ random: inout PhiloxGenerator, _ convert: (Double) -> Element
  ) {
    for index in elements.indices { elements[index] = convert(random.normal() * deviation) }
  }
}
