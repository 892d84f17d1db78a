import Foundation
import SwiftProtobuf
import TesseraGraph

/// The bytes of a file as a message of the schema, or an error with the place at which they stop being one.
enum MessageFile {
  static func bytes(_ path: String) throws(TesseraError) -> Data {
    do {
      return try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
    } catch {
      throw TesseraError(
        .invalidFile, at: path, expected: "a file that can be read", found: "none", underlying: error)
    }
  }

  static func message<M: Message>(_: M.Type, _ bytes: Data, at path: String) throws(TesseraError) -> M {
    do {
      return try M(serializedBytes: bytes, options: decoding)
    } catch {
      throw TesseraError(
        .invalidFile, at: "\(path): byte \(WireFormat.faultOffset(bytes))", expected: "a message of the ONNX schema",
        found: "\(error)", underlying: error)
    }
  }

  /// Deeper than any model nests its subgraphs, shallower than the stack.
  private static var decoding: BinaryDecodingOptions {
    var options = BinaryDecodingOptions()
    options.messageDepthLimit = 100
    options.discardUnknownFields = true
    return options
  }
}

/// The fields of a protocol buffer without their meaning, to say where one is broken.
/// Source: https://protobuf.dev/programming-guides/encoding/
enum WireFormat {
  /// Where the first field begins whose extent doesn't fit; the number of bytes if all do.
  static func faultOffset(_ bytes: Data) -> Int {
    bytes.withUnsafeBytes { bytes in
      var offset = 0
      while offset < bytes.count {
        let start = offset
        guard let key = varint(bytes, &offset), key >> 3 != 0 else { return start }
        switch key & 7 {
        case 0: if varint(bytes, &offset) == nil { return start }
        case 1: offset += 8
        case 2:
          guard let length = varint(bytes, &offset), length <= UInt64(bytes.count - offset) else { return start }
          offset += Int(length)
        case 5: offset += 4
        default: return start
        }
        if offset > bytes.count { return start }
      }
      return bytes.count
    }
  }

  private static func varint(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard offset < bytes.count else { return nil }
      let byte = bytes[offset]
      offset += 1
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    return nil
  }
}
