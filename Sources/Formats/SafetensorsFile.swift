public import TesseraGraph
public import TesseraRuntime

/// Named tensors in a file of the safetensors format, mapped into memory: opening one reads its header only.
///
///     let file = try SafetensorsFile(path: "resnet18.safetensors")
///     let weight = try file.tensor(named: "conv1.weight", as: .float32)
///
/// Whatever is wrong with a file is found when it is opened: afterwards each entry's bytes are within it, no two overlap,
/// and there are no others. Memory is taken for the header, as large as the file has one, and for tensors that are asked
/// for.
public struct SafetensorsFile: Sendable {
  /// What errors call the file: its path, or the name that the caller gave.
  public let name: String
  /// In the order of their bytes.
  public let entries: [SafetensorsEntry]
  /// Text of any kind that the file carries.
  public let metadata: [String: String]

  private let content: Content
  private let dataOffset: Int
  private let indices: [String: Int]

  private enum Content: Sendable {
    case mapped(MappedFile)
    case memory([UInt8])
  }

  /// Opens a file. It may be replaced while it is open, not cut short in place.
  /// - Throws: ``TesseraError`` with code `notFound` if there is no such file, `invalidFile`, naming tensor or offset, if
  ///   it isn't what it should be: header, names, types, shapes or offsets.
  public init(path: String) throws(TesseraError) { try self.init(.mapped(MappedFile(path: path)), name: path) }

  /// The same of a file that is in memory; `name` is what errors call it.
  /// - Throws: ``TesseraError`` with code `invalidFile`, as for a file.
  public init(bytes: [UInt8], name: String = "safetensors bytes") throws(TesseraError) {
    try self.init(.memory(bytes), name: name)
  }

  private init(_ content: Content, name: String) throws(TesseraError) {
    let header = try Self.withBytes(of: content) { (bytes) throws(TesseraError) in
      try SafetensorsHeader(of: bytes, name: name)
    }
    self.name = name
    self.content = content
    entries = header.entries
    metadata = header.metadata
    dataOffset = header.dataOffset
    indices = Dictionary(
      header.entries.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// What the file says of a tensor; nil if there is none of that name.
  public func entry(named name: String) -> SafetensorsEntry? { indices[name].map { entries[$0] } }

  /// A tensor in its own element type.
  /// - Throws: ``TesseraError/Code/notFound`` for another name, ``TesseraError/Code/unsupported`` for a type that Tessera
  ///   doesn't have, ``TesseraError/Code/invalidData`` for truth values other than 0 and 1.
  public func tensor(named name: String) throws(TesseraError) -> Tensor {
    let entry = try existing(name)
    guard let element = entry.type.element else {
      let known = SafetensorsType.allCases.filter { $0.element != nil }.map(\.rawValue)
      throw error(entry, .unsupported, "one of \(known.joined(separator: ", "))", entry.type.rawValue)
    }
    return try tensor(entry, element)
  }

  /// A tensor of floating-point numbers (F16, BF16, F32, F64), converted to float32 or float64: to the nearest, where not
  /// exactly.
  /// - Throws: ``TesseraError/Code/notFound`` for another name, ``TesseraError/Code/elementTypeMismatch`` if either type
  ///   isn't one of these.
  public func tensor(named name: String, as element: ElementType) throws(TesseraError) -> Tensor {
    let entry = try existing(name)
    if entry.type.element == element { return try tensor(entry, element) }
    switch element {
    case .float32: return try converted(entry, element) { Float($0) }
    case .float64: return try converted(entry, element) { Double($0) }
    default: throw error(entry, .elementTypeMismatch, "\(element)", entry.type.rawValue)
    }
  }

  /// A tensor's bytes, where they are: little-endian, row-major, not aligned.
  /// - Throws: ``TesseraError/Code/notFound`` for another name, and what the body throws.
  public func withUnsafeBytes<Result>(
    of name: String, _ body: (UnsafeRawBufferPointer) throws(TesseraError) -> Result
  ) throws(TesseraError) -> Result {
    try withUnsafeBytes(of: try existing(name), body)
  }

  /// The bytes of all tensors, in the order of ``entries``.
  func withDataBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try Self.withBytes(of: content) { (bytes) throws(Failure) in
      try body(UnsafeRawBufferPointer(rebasing: bytes[dataOffset...]))
    }
  }

  // MARK: Pieces

  private func existing(_ name: String) throws(TesseraError) -> SafetensorsEntry {
    guard let entry = entry(named: name) else {
      throw TesseraError(
        .notFound, at: self.name, expected: "one of its \(entries.count) tensors", found: "\"\(name)\"")
    }
    return entry
  }

  private func withUnsafeBytes<Result>(
    of entry: SafetensorsEntry, _ body: (UnsafeRawBufferPointer) throws(TesseraError) -> Result
  ) throws(TesseraError) -> Result {
    try withDataBytes { (data) throws(TesseraError) in
      try body(UnsafeRawBufferPointer(rebasing: data[entry.offsets]))
    }
  }

  private func tensor(_ entry: SafetensorsEntry, _ element: ElementType) throws(TesseraError) -> Tensor {
    let tensor = try Tensor(allocating: TensorType(entry.shape, element), for: entry.name)
    try withUnsafeBytes(of: entry) { (bytes) throws(TesseraError) in
      if element == .bool, let place = bytes.firstIndex(where: { $0 > 1 }) {
        throw error(entry, .invalidData, "truth values 0 or 1", "\(bytes[place]) at element \(place)")
      }
      tensor.storage.bytes.copyMemory(from: bytes)
    }
    return tensor
  }

  private func converted<Element: TensorElement>(
    _ entry: SafetensorsEntry, _ element: ElementType, _ convert: (Double) -> Element
  ) throws(TesseraError) -> Tensor {
    let tensor = try Tensor(allocating: TensorType(entry.shape, element), for: entry.name)
    let target = tensor.storage.bytes.bindMemory(to: Element.self)
    try withUnsafeBytes(of: entry) { (bytes) throws(TesseraError) in
      func load<Bits: FixedWidthInteger>(_ index: Int, _: Bits.Type) -> Bits {
        Bits(littleEndian: bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Bits>.size, as: Bits.self))
      }
      // Both 16-bit types and float32 are exact in double precision.
      switch entry.type {
      case .float16:
        for i in target.indices { target[i] = convert(Self.number(half: load(i, UInt16.self))) }
      case .bfloat16:
        for i in target.indices {
          target[i] = convert(Double(Float(bitPattern: UInt32(load(i, UInt16.self)) << 16)))
        }
      case .float32:
        for i in target.indices { target[i] = convert(Double(Float(bitPattern: load(i, UInt32.self)))) }
      case .float64:
        for i in target.indices { target[i] = convert(Double(bitPattern: load(i, UInt64.self))) }
      default: throw error(entry, .elementTypeMismatch, "floating-point numbers", entry.type.rawValue)
      }
    }
    return tensor
  }

  /// The value of IEEE binary16: 1 bit of sign, 5 of exponent, 10 of fraction.
  private static func number(half bits: UInt16) -> Double {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10 & 0x1F)
    let fraction = UInt32(bits & 0x3FF)
    switch exponent {
    case 0: return (sign == 0 ? 0x1p-24 : -0x1p-24) * Double(fraction)
    case 0x1F: return Double(Float(bitPattern: sign | 0x7F80_0000 | fraction << 13))
    default: return Double(Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13))
    }
  }

  private func error(
    _ entry: SafetensorsEntry, _ code: TesseraError.Code, _ expected: String, _ found: String
  ) -> TesseraError {
    TesseraError(
      code, at: "\(name), tensor \"\(entry.name)\", offset \(dataOffset + entry.offsets.lowerBound)",
      expected: expected, found: found)
  }

  private static func withBytes<Result, Failure: Error>(
    of content: Content, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    switch content {
    case .mapped(let file): return try withExtendedLifetime(file) { () throws(Failure) in try body(file.bytes) }
    case .memory(let bytes):
      return try bytes.withUnsafeBufferPointer { (bytes) throws(Failure) in try body(UnsafeRawBufferPointer(bytes)) }
    }
  }
}
