public import TesseraGraph

/// A dense, row-major tensor in host memory that nobody changes: what goes into a run and comes out of it, and what is
/// read from and written to a parameter store. Copies share storage.
public struct Tensor: Sendable {
  /// Shape and element type.
  public let type: TensorType
  package let storage: AlignedMemory

  /// Sizes, outermost first.
  public var shape: Shape { type.shape }

  /// - Throws: ``TesseraError/Code/shapeMismatch`` if the number of elements isn't the shape's,
  ///   ``TesseraError/Code/systemFailure`` if there is no memory for the copy.
  public init<Element: TensorElement>(_ elements: [Element], shape: Shape) throws(TesseraError) {
    try shape.validate(at: "tensor")
    guard elements.count == shape.count else {
      throw TesseraError(
        .shapeMismatch, at: "tensor", expected: "\(shape.count) elements for \(shape)",
        found: "\(elements.count)")
    }
    try self.init(allocating: TensorType(shape, Element.elementType), for: "tensor")
    elements.withUnsafeBytes { storage.bytes.copyMemory(from: $0) }
  }

  /// A tensor of the given bytes, whose number must be the type's.
  /// - Throws: as the other.
  public init(_ type: TensorType, bytes: UnsafeRawBufferPointer) throws(TesseraError) {
    try type.shape.validate(at: "tensor")
    guard bytes.count == type.byteCount else {
      throw TesseraError(
        .shapeMismatch, at: "tensor", expected: "\(type.byteCount) bytes for \(type)",
        found: "\(bytes.count)")
    }
    try self.init(allocating: type, for: "tensor")
    storage.bytes.copyMemory(from: bytes)
  }

  /// Zeros, to be filled by the creator before anyone else sees them.
  /// - Throws: ``TesseraError/Code/systemFailure``, which names what the memory is for, where there is none.
  package init(allocating type: TensorType, for name: String) throws(TesseraError) {
    self.type = type
    storage = try AlignedMemory(allocating: type.byteCount, for: name)
  }

  /// The elements, row-major.
  /// - Throws: ``TesseraError/Code/elementTypeMismatch`` if they are of another type.
  public func elements<Element: TensorElement>(as: Element.Type = Element.self)
    throws(TesseraError) -> [Element]
  {
    guard Element.elementType == type.element else {
      throw TesseraError(
        .elementTypeMismatch, at: "tensor", expected: "\(type.element)",
        found: "\(Element.elementType)")
    }
    return Array(storage.bytes.bindMemory(to: Element.self))
  }

  /// The elements' bytes, row-major, 64-byte aligned.
  public func withUnsafeBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(UnsafeRawBufferPointer(storage.bytes))
  }
}
