import Foundation
import TesseraGraph

/// Reads tensors of a model: their elements are in the message, or in files beside the model.
struct TensorReader: Sendable {
  /// The model's file, for errors.
  let file: String
  /// Where external data lies; nil: nowhere.
  let folder: String?

  func tensor(_ proto: Onnx_TensorProto, at place: String) throws(TesseraError) -> HostTensor {
    let location = "\(file): \(place)"
    guard let kind = Onnx_TensorProto.DataType(rawValue: Int(proto.dataType)), let width = Self.byteCount(kind) else {
      let name = Onnx_TensorProto.DataType(rawValue: Int(proto.dataType)).map { "\($0)" } ?? "\(proto.dataType)"
      throw TesseraError(
        .unsupported, at: "\(location): data_type", expected: "floats, integers or truth values of whole bytes",
        found: name)
    }
    let shape = try Self.shape(proto.dims, at: "\(location): dims")
    let count = Shape(shape).count
    if proto.dataLocation == .external {
      let bytes = try externalBytes(proto, byteCount: count * width, at: location)
      return HostTensor(kind, shape, Self.elements(kind, bytes, count))
    }
    if proto.hasRawData {
      guard proto.rawData.count == count * width else {
        throw TesseraError(
          .invalidFile, at: "\(location): raw_data", expected: "\(count * width) bytes for \(Shape(shape)) of \(kind)",
          found: "\(proto.rawData.count)")
      }
      return HostTensor(kind, shape, Self.elements(kind, proto.rawData, count))
    }
    let elements: HostTensor.Elements =
      switch kind {
      case .float: .floats(proto.floatData)
      case .double: .doubles(proto.doubleData)
      case .int64: .integers(proto.int64Data)
      case .uint32, .uint64: .integers(proto.uint64Data.map { Int64(bitPattern: $0) })
      case .float16: .floats(proto.int32Data.map { Self.half(UInt16(truncatingIfNeeded: $0)) })
      case .bfloat16: .floats(proto.int32Data.map { Float(bitPattern: UInt32(truncatingIfNeeded: $0) << 16) })
      default: .integers(proto.int32Data.map(Int64.init))
      }
    guard elements.count == count else {
      throw TesseraError(
        .invalidFile, at: "\(location): data", expected: "\(count) elements for \(Shape(shape)) of \(kind)",
        found: "\(elements.count)")
    }
    return HostTensor(kind, shape, elements)
  }

  /// Sizes that make a shape, of at most the rank that graphs have.
  static func shape(_ dimensions: [Int64], at location: String) throws(TesseraError) -> [Int] {
    let shape = dimensions.map { Int($0) }
    try Shape(shape).validate(at: location)
    return shape
  }

  // MARK: External data

  private func externalBytes(_ proto: Onnx_TensorProto, byteCount: Int, at location: String) throws(TesseraError)
    -> Data
  {
    var entries: [String: String] = [:]
    for entry in proto.externalData { entries[entry.key] = entry.value }
    guard let folder, let name = entries["location"] else {
      throw TesseraError(
        .invalidFile, at: "\(location): external_data", expected: "a location beside the model's file",
        found: entries["location"] ?? "none")
    }
    let path = try Self.path(name, in: folder, at: "\(location): external_data")
    let data = try MessageFile.bytes(path)
    func number(_ key: String, else other: Int) throws(TesseraError) -> Int {
      guard let text = entries[key] else { return other }
      guard let value = Int(text), value >= 0 else {
        throw TesseraError(
          .invalidFile, at: "\(location): external_data \(key)", expected: "a number of 0 or more", found: text)
      }
      return value
    }
    let offset = try number("offset", else: 0)
    let length = try number("length", else: byteCount)
    guard length == byteCount, offset <= data.count, byteCount <= data.count - offset else {
      throw TesseraError(
        .invalidFile, at: "\(path): byte \(offset)", expected: "\(byteCount) bytes for \(location)",
        found: "\(length) in a file of \(data.count)")
    }
    return data.subdata(in: data.startIndex + offset..<data.startIndex + offset + byteCount)
  }

  /// The path of a file below the model's folder. Links don't lead out of it either.
  private static func path(_ name: String, in folder: String, at location: String) throws(TesseraError) -> String {
    let root = URL(fileURLWithPath: folder, isDirectory: true).resolvingSymlinksInPath().standardizedFileURL
    let target = root.appendingPathComponent(name).resolvingSymlinksInPath().standardizedFileURL
    let isBelow = target.pathComponents.starts(with: root.pathComponents) && target.path != root.path
    guard isBelow, !name.hasPrefix("/"), !name.split(separator: "/").contains("..") else {
      throw TesseraError(
        .invalidFile, at: location, expected: "a path within the model's folder", found: "\"\(name)\"")
    }
    return target.path
  }

  // MARK: Elements

  private static func byteCount(_ kind: HostTensor.ElementKind) -> Int? {
    switch kind {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16, .float16, .bfloat16: 2
    case .float, .int32, .uint32: 4
    case .double, .int64, .uint64: 8
    default: nil
    }
  }

  /// The elements of little-endian bytes, whose number is right.
  private static func elements(_ kind: HostTensor.ElementKind, _ bytes: Data, _ count: Int) -> HostTensor.Elements {
    func array<T: BitwiseCopyable>(_: T.Type) -> [T] {
      [T](unsafeUninitializedCapacity: count) { target, initialized in
        bytes.copyBytes(to: UnsafeMutableRawBufferPointer(target))
        initialized = count
      }
    }
    return switch kind {
    case .float: .floats(array(Float.self))
    case .double: .doubles(array(Double.self))
    case .float16: .floats(array(UInt16.self).map(half))
    case .bfloat16: .floats(array(UInt16.self).map { Float(bitPattern: UInt32($0) << 16) })
    case .int64: .integers(array(Int64.self))
    case .uint64: .integers(array(UInt64.self).map { Int64(bitPattern: $0) })
    case .int32: .integers(array(Int32.self).map(Int64.init))
    case .uint32: .integers(array(UInt32.self).map(Int64.init))
    case .int16: .integers(array(Int16.self).map(Int64.init))
    case .uint16: .integers(array(UInt16.self).map(Int64.init))
    case .int8: .integers(array(Int8.self).map(Int64.init))
    default: .integers(array(UInt8.self).map(Int64.init))
    }
  }

  /// IEEE binary16.
  private static func half(_ bits: UInt16) -> Float {
    let (sign, exponent, fraction) = (UInt32(bits >> 15) << 31, UInt32(bits >> 10 & 31), UInt32(bits & 1023))
    if exponent == 31 { return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13) }
    if exponent > 0 { return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13) }
    let magnitude = Float(fraction) * 0x1p-24
    return sign == 0 ? magnitude : -magnitude
  }
}
