public import TesseraGraph
public import TesseraRuntime

extension SafetensorsFile {
  /// Writes tensors as a file that is there as a whole or not at all, also after a crash. The same tensors give the same
  /// bytes: those of the format's own writer.
  /// - Throws: ``TesseraError/Code/invalidFile`` if the file can't be written, ``TesseraError/Code/unsupported`` for a
  ///   name or an element type that the format doesn't have.
  public static func write(_ tensors: [String: Tensor], metadata: [String: String] = [:], to path: String)
    throws(TesseraError)
  {
    try write(tensors, header: header(of: tensors, metadata: metadata, path: path), to: path)
  }

  static func header(of tensors: [String: Tensor], metadata: [String: String], path: String) throws(TesseraError)
    -> SafetensorsHeader
  {
    var list: [(name: String, type: SafetensorsType, shape: Shape)] = []
    for (name, tensor) in tensors {
      guard let type = SafetensorsType(tensor.type.element), name != "__metadata__" else {
        throw TesseraError(
          .unsupported, at: "\(path), tensor \"\(name)\"", expected: "a name and type of the format",
          found: "\(tensor.type)")
      }
      list.append((name, type, tensor.shape))
    }
    return SafetensorsHeader(list, metadata: metadata)
  }

  static func write(_ tensors: [String: Tensor], header: SafetensorsHeader, to path: String) throws(TesseraError) {
    let json = Array(header.json.utf8)
    guard json.count <= SafetensorsHeader.largestByteCount else {
      throw TesseraError(
        .unsupported, at: path, expected: "a header of at most \(SafetensorsHeader.largestByteCount) bytes",
        found: "\(json.count)")
    }
    let file = try ReplacingFile(path: path)
    let length = (0..<8).map { UInt8(truncatingIfNeeded: json.count >> (8 * $0)) }
    try (length + json).withUnsafeBufferPointer { (bytes) throws(TesseraError) in
      try file.write(UnsafeRawBufferPointer(bytes))
    }
    for entry in header.entries {
      try tensors[entry.name]?.withUnsafeBytes { (bytes) throws(TesseraError) in try file.write(bytes) }
    }
    try file.commit()
  }
}
