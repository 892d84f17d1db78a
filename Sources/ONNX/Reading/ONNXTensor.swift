import Foundation
import SwiftProtobuf
public import TesseraGraph
public import TesseraRuntime

/// Tensors in files of their own, as the ONNX backend tests have them.
public enum ONNXTensor {
  /// Reads a `TensorProto`.
  /// - Throws: ``TesseraError/Code/invalidFile`` for what isn't one, ``TesseraError/Code/unsupported`` for element
  ///   types that graphs don't have.
  public static func read(path: String) throws(TesseraError) -> Tensor {
    let proto = try MessageFile.message(Onnx_TensorProto.self, MessageFile.bytes(path), at: path)
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    return try TensorReader(file: path, folder: folder).tensor(proto, at: "tensor \(proto.name)").tensor(at: path)
  }
}

extension ONNXTensor {
  /// Writes a `TensorProto`.
  /// - Parameter name: that of the input or output it is for.
  public static func write(_ tensor: Tensor, name: String, to path: String) throws(TesseraError) {
    let message: Data
    do {
      message = try proto(HostTensor(tensor), name: name).serializedData()
    } catch {
      throw TesseraError(
        .invalidData, at: path, expected: "a tensor of less than 2 GiB", found: "\(error)", underlying: error)
    }
    try write(message, to: path)
  }

  /// A file that is there whole or not at all.
  static func write(_ bytes: Data, to path: String) throws(TesseraError) {
    do {
      try bytes.write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw TesseraError(
        .invalidFile, at: path, expected: "a file that can be written", found: "none", underlying: error)
    }
  }

  static func proto(_ tensor: HostTensor, name: String) -> Onnx_TensorProto {
    var proto = Onnx_TensorProto()
    proto.name = name
    proto.dims = tensor.shape.map { Int64($0) }
    proto.dataType = Int32(tensor.kind.rawValue)
    proto.rawData =
      switch (tensor.elements, tensor.kind) {
      case (.floats(let elements), _): elements.withUnsafeBytes { Data($0) }
      case (.doubles(let elements), _): elements.withUnsafeBytes { Data($0) }
      case (.integers(let elements), .int64): elements.withUnsafeBytes { Data($0) }
      case (.integers(let elements), .int32):
        elements.map { Int32(truncatingIfNeeded: $0) }.withUnsafeBytes { Data($0) }
      case (.integers(let elements), _): Data(elements.map { UInt8(truncatingIfNeeded: $0) })
      }
    return proto
  }

  static func kind(_ element: ElementType) -> HostTensor.ElementKind {
    switch element {
    case .float32: .float
    case .float64: .double
    case .int32: .int32
    case .int64: .int64
    case .bool: .bool
    default: .uint8
    }
  }
}
