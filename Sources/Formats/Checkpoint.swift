import CZlib
public import TesseraGraph
public import TesseraRuntime

/// Everything that training goes on from: a store's weights, optimizer state, running statistics, step and seed, and what
/// the training loop says of itself (epoch, place in the data, best loss so far).
///
///     try Checkpoint(of: store, state: ["epoch": "3"]).write(to: "latest.safetensors")
///     try Checkpoint(path: "latest.safetensors").restore(to: store)
///
/// A checkpoint is a safetensors file in Tessera's own names and layouts. Random numbers need no state of their own:
/// dropout's follow from seed and step, the order of images from seed and epoch. A checksum in the file covers every byte
/// of it.
public struct Checkpoint: Sendable {
  /// The layout of the file that this version writes and reads.
  static let version = "1"

  /// By the names of the store.
  public let variables: [String: Tensor]
  /// What the training loop says of itself.
  public let state: [String: String]
  /// What errors call it.
  private let name: String

  /// All variables of a store, from one moment between two steps.
  /// - Throws: ``TesseraError/Code/systemFailure`` if there is no memory for the copies.
  public init(of store: ParameterStore, state: [String: String] = [:]) throws(TesseraError) {
    variables = try store.snapshot().filter { store.variable(named: $0.key)?.role.isKept ?? false }
    self.state = state
    name = "checkpoint"
  }

  /// Reads a file.
  /// - Throws: ``TesseraError/Code/notFound`` if there is no such file, ``TesseraError/Code/invalidFile`` if it isn't a
  ///   checkpoint, of another version, or damaged.
  public init(path: String) throws(TesseraError) { try self.init(SafetensorsFile(path: path)) }

  /// Reads a file that is open.
  /// - Throws: ``TesseraError/Code/invalidFile``, as of a path.
  public init(_ file: SafetensorsFile) throws(TesseraError) {
    var metadata = file.metadata
    func take(_ key: String) -> String? { metadata.removeValue(forKey: key) }
    func require(_ key: String, _ expected: String) throws(TesseraError) {
      let found = metadata[key]
      guard found == expected else {
        throw TesseraError(
          .invalidFile, at: "\(file.name), metadata \(key)", expected: "\"\(expected)\"",
          found: found.map { "\"\($0)\"" } ?? "none")
      }
    }
    try require(Key.format, Key.checkpoint)
    try require(Key.version, Self.version)
    // Read before it is taken out: the checksum is of the file without itself.
    let checksum = take(Key.checksum)
    let header = SafetensorsHeader(file.entries.map { ($0.name, $0.type, $0.shape) }, metadata: metadata)
    var computed = Checksum()
    file.withDataBytes { computed.add($0) }
    computed.add(header)
    guard checksum == computed.text, header.entries == file.entries else {
      throw TesseraError(
        .invalidFile, at: file.name, expected: "undamaged data with the checksum \(checksum ?? "that it lacks")",
        found: computed.text)
    }
    var variables: [String: Tensor] = [:]
    for entry in file.entries { variables[entry.name] = try file.tensor(named: entry.name) }
    self.variables = variables
    state = [String: String](
      uniqueKeysWithValues: metadata.compactMap { key, value in
        key.hasPrefix(Key.state) ? (String(key.dropFirst(Key.state.count)), value) : nil
      })
    name = file.name
  }

  /// Writes a file: whole, under another name that then becomes this one's, and brought to the disk. At every moment the
  /// path names the file of before or all of this one.
  /// - Throws: ``TesseraError/Code/invalidFile`` if that can't be done; what was there before is still there.
  public func write(to path: String) throws(TesseraError) {
    var metadata = [Key.format: Key.checkpoint, Key.version: Self.version]
    for (key, value) in state { metadata[Key.state + key] = value }
    var header = try SafetensorsFile.header(of: variables, metadata: metadata, path: path)
    var checksum = Checksum()
    for entry in header.entries {
      variables[entry.name]?.withUnsafeBytes { checksum.add($0) }
    }
    checksum.add(header)
    header.metadata[Key.checksum] = checksum.text
    try SafetensorsFile.write(variables, header: header, to: path)
  }

  /// Overwrites all variables of a store. The programs that train must have been bound to it before: they say which
  /// variables there are.
  /// - Throws: ``TesseraError/Code/invalidFile`` that lists every variable that is missing, unexpected or of another type;
  ///   nothing was written then.
  public func restore(to store: ParameterStore) throws(TesseraError) {
    var expected: [String: String] = [:]
    for name in store.names {
      if let variable = store.variable(named: name), variable.role.isKept { expected[name] = "\(variable.type)" }
    }
    try ParameterComparison.require(expected, in: variables.mapValues { "\($0.type)" }, of: name)
    try store.set(variables)
  }

  private enum Key {
    static let format = "tessera.format"
    static let checkpoint = "checkpoint"
    static let version = "tessera.version"
    static let checksum = "tessera.checksum"
    /// Before the keys of the training loop's state.
    static let state = "state."
  }
}

/// CRC-32 as of zlib (ISO 3309).
private struct Checksum {
  private var value = crc32(0, nil, 0)

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var rest = bytes[...]
    while !rest.isEmpty {
      // zlib counts in 32 bits.
      let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
      value = crc32(value, part.baseAddress?.assumingMemoryBound(to: Bytef.self), uInt(part.count))
      rest = rest.dropFirst(part.count)
    }
  }

  mutating func add(_ header: SafetensorsHeader) {
    var json = header.json
    json.withUTF8 { add(UnsafeRawBufferPointer($0)) }
  }

  var text: String {
    let digits = String(value, radix: 16)
    return "crc32:" + String(repeating: "0", count: 8 - digits.count) + digits
  }
}
