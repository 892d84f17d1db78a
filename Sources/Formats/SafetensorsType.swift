public import TesseraGraph

/// The element types of safetensors files, in the format's own order.
public enum SafetensorsType: String, CaseIterable, Sendable {
  case bool = "BOOL"
  case uint8 = "U8"
  case int8 = "I8"
  case float8E5M2 = "F8_E5M2"
  case float8E4M3 = "F8_E4M3"
  case int16 = "I16"
  case uint16 = "U16"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case int32 = "I32"
  case uint32 = "U32"
  case float32 = "F32"
  case complex64 = "C64"
  case float64 = "F64"
  case int64 = "I64"
  case uint64 = "U64"

  /// Bytes of one element.
  public var byteCount: Int {
    switch self {
    case .bool, .uint8, .int8, .float8E5M2, .float8E4M3: 1
    case .int16, .uint16, .float16, .bfloat16: 2
    case .int32, .uint32, .float32: 4
    case .complex64, .float64, .int64, .uint64: 8
    }
  }

  /// The type of Tessera's that is the same; nil if there is none.
  public var element: ElementType? {
    switch self {
    case .bool: .bool
    case .uint8: .uint8
    case .int32: .int32
    case .float32: .float32
    case .float64: .float64
    case .int64: .int64
    default: nil
    }
  }

  init?(_ element: ElementType) {
    guard let type = Self.allCases.first(where: { $0.element == element }) else { return nil }
    self = type
  }
}
