public import TesseraGraph

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A dense, row-major tensor in host memory that nobody changes: what goes into a run and comes out of it, and what is
/// read from and written to a parameter store. Copies share storage.
public struct Tensor: Sendable {
  /// Shape and element type.
  public let type: TensorType
  package let storage: AlignedMemory

  /// Sizes, outermost first.
  public var shape: Shape { type.shape }

  /// - Throws: ``TesseraError/Code/shapeMismatch`` if the number of elements isn't the shape's.
  public init<Element: TensorElement>(_ elements: [Element], shape: Shape) throws(TesseraError) {
    try shape.validate(at: "tensor")
    guard elements.count == shape.count else {
      throw TesseraError(
        .shapeMismatch, at: "tensor", expected: "\(shape.count) elements for \(shape)",
        found: "\(elements.count)")
    }
    self.init(TensorType(shape, Element.elementType))
    elements.withUnsafeBytes { storage.bytes.copyMemory(from: $0) }
  }

  /// A tensor of the given bytes, whose number must be the type's.
  public init(_ type: TensorType, bytes: UnsafeRawBufferPointer) throws(TesseraError) {
    try type.shape.validate(at: "tensor")
    guard bytes.count == type.byteCount else {
      throw TesseraError(
        .shapeMismatch, at: "tensor", expected: "\(type.byteCount) bytes for \(type)",
        found: "\(bytes.count)")
    }
    self.init(type)
    storage.bytes.copyMemory(from: bytes)
  }

  /// Zeros, to be filled by the creator before anyone else sees them.
  package init(_ type: TensorType) {
    self.type = type
    storage = AlignedMemory(byteCount: type.byteCount)
  }

  /// The same, of a size that the system may not have.
  init(allocating type: TensorType, for name: String) throws(TesseraError) {
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

/// Zeroed memory, aligned to 128 bytes and freed with its owner. What may be written when is the owner's business.
package final class AlignedMemory: @unchecked Sendable {
  /// Never empty memory at address nil: a base exists even for no bytes.
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int

  package static let alignment = 128

  /// For sizes of which memory holds one already; stops the program where there is none left.
  package init(byteCount: Int) {
    guard let base = Self.zeros(byteCount) else { fatalError("no memory for \(byteCount) bytes") }
    (self.base, self.byteCount) = (base, byteCount)
  }

  /// For sizes that follow from what a host asks for: a batch of a million images may be more than the machine has.
  /// - Throws: ``TesseraError/Code/systemFailure`` that names what the memory is for.
  package init(allocating byteCount: Int, for name: String) throws(TesseraError) {
    guard let base = Self.zeros(byteCount) else {
      throw TesseraError(
        .systemFailure, at: name, expected: "\(byteCount) bytes of memory", found: "less")
    }
    (self.base, self.byteCount) = (base, byteCount)
  }

  package var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: base, count: byteCount)
  }

  private static func zeros(_ byteCount: Int) -> UnsafeMutableRawPointer? {
    var base: UnsafeMutableRawPointer?
    guard posix_memalign(&base, alignment, max(byteCount, 1)) == 0 else { return nil }
    base?.initializeMemory(as: UInt8.self, repeating: 0, count: max(byteCount, 1))
    return base
  }

  deinit { free(base) }
}
