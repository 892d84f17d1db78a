/// The type of a tensor's elements. A structure and not an enumeration, so that bfloat16 and int8 can come without
/// breaking anyone who compares element types.
public struct ElementType: Hashable, Sendable, CustomStringConvertible {
  public let description: String
  /// Bytes of one element.
  public let byteCount: Int
  /// Whether it has fractions, and so gradients.
  public let isFloatingPoint: Bool

  /// IEEE binary32, the type that all fast kernels compute in.
  public static let float32 = ElementType(
    description: "float32", byteCount: 4, isFloatingPoint: true)
  /// IEEE binary64, computed by the reference kernels only: the oracle.
  public static let float64 = ElementType(
    description: "float64", byteCount: 8, isFloatingPoint: true)
  /// Signed integers: labels, and masks of poolings.
  public static let int32 = ElementType(description: "int32", byteCount: 4, isFloatingPoint: false)
  /// Signed integers: seed and step.
  public static let int64 = ElementType(description: "int64", byteCount: 8, isFloatingPoint: false)
  /// Bytes: images as files have them.
  public static let uint8 = ElementType(description: "uint8", byteCount: 1, isFloatingPoint: false)
  /// One byte, 0 or 1.
  public static let bool = ElementType(description: "bool", byteCount: 1, isFloatingPoint: false)
}

/// A Swift type that can be the element of a tensor.
public protocol TensorElement: BitwiseCopyable, Sendable {
  static var elementType: ElementType { get }
}

extension Float: TensorElement { public static var elementType: ElementType { .float32 } }
extension Double: TensorElement { public static var elementType: ElementType { .float64 } }
extension Int32: TensorElement { public static var elementType: ElementType { .int32 } }
extension Int64: TensorElement { public static var elementType: ElementType { .int64 } }
extension UInt8: TensorElement { public static var elementType: ElementType { .uint8 } }
extension Bool: TensorElement { public static var elementType: ElementType { .bool } }
