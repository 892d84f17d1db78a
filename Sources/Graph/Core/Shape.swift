/// The sizes of a tensor, outermost dimension first. Any list of integers can be written as a shape; ``validate(at:)``
/// says whether it is one: rank 0 to 8, no size negative, the number of elements within Int. Graphs hold validated
/// shapes only.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
  /// More dimensions than this are an error.
  public static let maximumRank = 8

  /// Sizes in elements, outermost first.
  public let dimensions: [Int]

  /// Sizes outermost first; ``validate(at:)`` says whether they are a shape.
  public init(_ dimensions: [Int]) { self.dimensions = dimensions }
  /// The same, written as a list.
  public init(arrayLiteral dimensions: Int...) { self.dimensions = dimensions }

  /// A single number.
  public static let scalar = Shape([])

  /// The number of dimensions; 0 for a single number.
  public var rank: Int { dimensions.count }

  /// Elements of a validated shape; 1 for a scalar. Int.max where the product doesn't fit.
  public var count: Int { countIfRepresentable ?? Int.max }

  /// The size of one dimension, which must exist.
  public subscript(axis: Int) -> Int { dimensions[axis] }

  public var description: String { "[\(dimensions.map(String.init).joined(separator: ", "))]" }

  /// - Throws: ``TesseraError/Code/invalidShape`` if this is no shape.
  public func validate(at location: String) throws(TesseraError) {
    guard rank <= Self.maximumRank else {
      throw TesseraError(
        .invalidShape, at: location, expected: "a rank of 0 to \(Self.maximumRank)", found: "\(rank)")
    }
    guard dimensions.allSatisfy({ $0 >= 0 }) else {
      throw TesseraError(
        .invalidShape, at: location, expected: "sizes of 0 or more", found: description)
    }
    // 16 bytes an element leave room for the widest type and for alignment.
    guard let count = countIfRepresentable, count <= Int.max / 16 else {
      throw TesseraError(
        .invalidShape, at: location, expected: "at most \(Int.max / 16) elements",
        found: description)
    }
  }

  /// The product of all sizes other than 0 must fit too: offsets are computed from partial products.
  private var countIfRepresentable: Int? {
    var product = 1
    for size in dimensions where size != 0 {
      let (next, overflow) = product.multipliedReportingOverflow(by: size)
      guard !overflow else { return nil }
      product = next
    }
    return dimensions.contains(0) ? 0 : product
  }
}

/// What is known of a value before any run: its shape and element type.
public struct TensorType: Hashable, Sendable, CustomStringConvertible {
  /// Sizes, outermost first.
  public let shape: Shape
  /// The type of each element.
  public let element: ElementType

  /// A shape of elements, of float32 unless said otherwise.
  public init(_ shape: Shape, _ element: ElementType = .float32) {
    self.shape = shape
    self.element = element
  }

  /// Bytes of the dense tensor.
  public var byteCount: Int { shape.count * element.byteCount }

  public var description: String { "\(element)\(shape)" }
}
