import TesseraGraph

/// Bytes in order, from a file or from memory, decompressed on the way if they are gzip (RFC 1952).
///
/// Memory: one block of 64 KiB, zlib's 40 KiB window, and what has really been read.
struct ByteStream: ~Copyable {
  private var source: RawBytes
  private var inflater: Inflater?
  /// True inside a gzip member: an end of the file here is a truncation.
  private var isInsideMember = false
  private let block: UnsafeMutableRawBufferPointer
  /// The part of `block` that is read and not yet used.
  private var pending = 0..<0
  /// Stored bytes used up, for messages about compressed data.
  private var consumed = 0

  /// What errors call these bytes.
  var name: String { source.name }
  /// Bytes delivered so far, after decompression.
  private(set) var offset = 0
  /// All bytes of the stream, as far as that is known before reading: nil for gzip, which doesn't say.
  var size: Int? { inflater == nil ? source.size : nil }
  /// No stream that is stored in this many bytes is longer. Deflate's shortest code is 2 bits for 258 bytes: 1032 to 1.
  var longestSize: Int {
    guard inflater != nil else { return source.size }
    let (bound, overflow) = source.size.multipliedReportingOverflow(by: 1032)
    return overflow ? .max : bound
  }

  init(path: String) throws(TesseraError) { try self.init(RawBytes(path: path)) }

  init(bytes: [UInt8], name: String) throws(TesseraError) {
    try self.init(RawBytes(bytes: bytes, name: name))
  }

  private init(_ source: consuming RawBytes) throws(TesseraError) {
    self.source = source
    block = .allocate(byteCount: 1 << 16, alignment: 16)
    // A short read of two bytes is possible, a file of one too: fill as far as there is something.
    while pending.count < 2 {
      let rest = UnsafeMutableRawBufferPointer(rebasing: block[pending.upperBound...])
      let count: Int
      do { count = try self.source.read(into: rest) } catch {
        block.deallocate()
        throw error
      }
      if count == 0 { break }
      pending = 0..<pending.upperBound + count
    }
    if pending.count >= 2, block[0] == 0x1F, block[1] == 0x8B {
      do { inflater = try Inflater() } catch {
        block.deallocate()
        throw error
      }
      isInsideMember = true
    }
  }

  deinit { block.deallocate() }

  /// Fills `buffer` and returns the number of bytes, which is less than its size at the end of the stream only.
  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(TesseraError) -> Int {
    var filled = 0
    while filled < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
      let count = try inflater == nil ? readStored(into: rest) : readInflated(into: rest)
      if count == 0 { break }
      filled += count
    }
    offset += filled
    return filled
  }

  /// The next `count` bytes, or as many as there are. Memory is taken as the data come, at most twice what was read,
  /// unless the size of the stream is known.
  mutating func readArray(count: Int) throws(TesseraError) -> [UInt8] {
    var bytes: [UInt8] = []
    let known = size.map { max(0, $0 - offset) }
    while bytes.count < count {
      let start = bytes.count
      // At least one, which finds the end of a stream that has none left.
      let step = min(count - start, max(1, known ?? max(1 << 16, start)))
      bytes.append(contentsOf: repeatElement(0, count: step))
      let filled = try bytes.withUnsafeMutableBufferPointer { all throws(TesseraError) in
        try read(into: UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: all[start...])))
      }
      if filled < step {
        bytes.removeLast(step - filled)
        break
      }
    }
    return bytes
  }

  /// - Throws: `invalidFile` if there are bytes after those read, or the compressed data don't end as they should.
  mutating func expectEnd() throws(TesseraError) {
    let end = offset
    if try !readArray(count: 1).isEmpty {
      throw invalid(
        at: end, expected: "the end of the file", found: size.map { "\($0 - end) more bytes" } ?? "more bytes")
    }
  }

  /// An error about the byte at `offset`, after decompression.
  func invalid(at offset: Int, expected: String, found: String) -> TesseraError {
    TesseraError(.invalidFile, at: "\(name), offset \(offset)", expected: expected, found: found)
  }

  private mutating func readStored(into buffer: UnsafeMutableRawBufferPointer) throws(TesseraError) -> Int {
    if pending.isEmpty { return try source.read(into: buffer) }
    let count = min(pending.count, buffer.count)
    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: block[pending.prefix(count)]))
    pending = pending.dropFirst(count)
    return count
  }

  private mutating func readInflated(into buffer: UnsafeMutableRawBufferPointer) throws(TesseraError) -> Int {
    while true {
      if pending.isEmpty {
        pending = 0..<(try source.read(into: block))
        if pending.isEmpty {
          if isInsideMember { throw damage("the end of the file inside the compressed data") }
          return 0
        }
      }
      if !isInsideMember {
        inflater?.startMember()
        isInsideMember = true
      }
      let input = UnsafeRawBufferPointer(rebasing: block[pending])
      guard let step = inflater?.step(input: input, output: buffer) else { return 0 }
      pending = pending.dropFirst(step.consumed)
      consumed += step.consumed
      switch step.outcome {
      case .going: break
      case .memberEnd: isInsideMember = false
      case .damaged(let reason): throw damage(reason)
      }
      if step.produced > 0 { return step.produced }
    }
  }

  private func damage(_ reason: String) -> TesseraError {
    TesseraError(
      .invalidFile, at: "\(name), compressed offset \(consumed)", expected: "undamaged gzip data", found: reason)
  }
}
