import TesseraGraph
import TesseraRuntime

/// A tensor known while a model is read: initializers, attributes, and what is computed of them.
struct HostTensor: Hashable, Sendable {
  /// By how exact they are held; integers of all widths and truth values are one.
  enum Elements: Hashable, Sendable {
    case floats([Float])
    case doubles([Double])
    case integers([Int64])

    var count: Int {
      switch self {
      case .floats(let elements): elements.count
      case .doubles(let elements): elements.count
      case .integers(let elements): elements.count
      }
    }
  }

  typealias ElementKind = Onnx_TensorProto.DataType

  let kind: ElementKind
  let shape: [Int]
  let elements: Elements

  init(_ kind: ElementKind, _ shape: [Int], _ elements: Elements) {
    (self.kind, self.shape, self.elements) = (kind, shape, elements)
  }

  init(integers: [Int], shape: [Int]? = nil) {
    self.init(.int64, shape ?? [integers.count], .integers(integers.map(Int64.init)))
  }

  static func scalar(_ value: Double) -> HostTensor { HostTensor(.float, [], .floats([Float(value)])) }

  var count: Int { elements.count }

  /// Nil for element types that graphs don't have.
  var elementType: ElementType? { Self.elementType(kind) }

  static func elementType(_ kind: ElementKind) -> ElementType? {
    switch kind {
    case .float: .float32
    case .double: .float64
    case .int32: .int32
    case .int64: .int64
    case .uint8: .uint8
    case .bool: .bool
    default: nil
    }
  }

  /// Every integer as an Int; nil for fractions.
  var integers: [Int]? {
    if case .integers(let elements) = elements { elements.map { Int($0) } } else { nil }
  }

  /// Every element in double precision.
  var doubles: [Double] {
    switch elements {
    case .floats(let elements): elements.map(Double.init)
    case .doubles(let elements): elements
    case .integers(let elements): elements.map(Double.init)
    }
  }

  /// The elements as a tensor of the runtime.
  func tensor(at location: String) throws(TesseraError) -> Tensor {
    let shape = Shape(shape)
    switch (elements, elementType) {
    case (.floats(let elements), .float32?): return try Tensor(elements, shape: shape)
    case (.doubles(let elements), .float64?): return try Tensor(elements, shape: shape)
    case (.integers(let elements), .int64?): return try Tensor(elements, shape: shape)
    case (.integers(let elements), .int32?):
      return try Tensor(elements.map { Int32(truncatingIfNeeded: $0) }, shape: shape)
    case (.integers(let elements), .uint8?):
      return try Tensor(elements.map { UInt8(truncatingIfNeeded: $0) }, shape: shape)
    case (.integers(let elements), .bool?): return try Tensor(elements.map { $0 != 0 }, shape: shape)
    default:
      throw TesseraError(
        .unsupported, at: location, expected: "float32, float64, int32, int64, uint8 or bool", found: "\(kind)")
    }
  }

  // MARK: Shapes

  /// The same elements under a shape of as many.
  func reshaped(_ shape: [Int]) -> HostTensor { HostTensor(kind, shape, elements) }

  /// Dimension a of the result is dimension permutation[a].
  func permuted(_ permutation: [Int]) -> HostTensor {
    if permutation == Array(permutation.indices) { return self }
    let strides = Self.strides(shape)
    let sizes = permutation.map { shape[$0] }
    return gathered(sizes, strides: permutation.map { strides[$0] })
  }

  /// The elements at first + sum of coordinates times strides, for all coordinates below `sizes`.
  func gathered(_ sizes: [Int], first: Int = 0, strides: [Int]) -> HostTensor {
    let gathered: Elements =
      switch elements {
      case .floats(let elements): .floats(Self.gathered(elements, sizes, first, strides))
      case .doubles(let elements): .doubles(Self.gathered(elements, sizes, first, strides))
      case .integers(let elements): .integers(Self.gathered(elements, sizes, first, strides))
      }
    return HostTensor(kind, sizes, gathered)
  }

  /// Row by row: weights of a hundred million elements come this way.
  private static func gathered<Element: BitwiseCopyable>(
    _ elements: [Element], _ sizes: [Int], _ first: Int, _ strides: [Int]
  ) -> [Element] {
    let count = sizes.reduce(1, *)
    let (width, step) = (sizes.last ?? 1, strides.last ?? 0)
    var coordinates = [Int](repeating: 0, count: sizes.count)
    var row = first
    var result: [Element] = []
    result.reserveCapacity(count)
    while result.count < count {
      for column in 0..<width { result.append(elements[row + column * step]) }
      var axis = sizes.count - 2
      while axis >= 0 {
        coordinates[axis] += 1
        row += strides[axis]
        if coordinates[axis] < sizes[axis] { break }
        row -= sizes[axis] * strides[axis]
        coordinates[axis] = 0
        axis -= 1
      }
    }
    return result
  }

  /// The elements at some places.
  func taking(_ places: [Int], shape: [Int]) -> HostTensor {
    let taken: Elements =
      switch elements {
      case .floats(let elements): .floats(places.map { elements[$0] })
      case .doubles(let elements): .doubles(places.map { elements[$0] })
      case .integers(let elements): .integers(places.map { elements[$0] })
      }
    return HostTensor(kind, shape, taken)
  }

  static func strides(_ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
    return strides
  }

  static func places(_ sizes: [Int], first: Int, strides: [Int]) -> [Int] {
    var places = [first]
    for (size, stride) in zip(sizes, strides) {
      places = places.flatMap { place in (0..<size).map { place + $0 * stride } }
    }
    return places
  }
}
