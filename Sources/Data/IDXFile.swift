public import TesseraGraph

/// A tensor of unsigned bytes from an IDX file, the format of MNIST.
///
/// Two bytes 0, the element type (0x08: unsigned byte, the one read here), the rank (1 to 4 here), one big-endian
/// 32-bit size for each dimension, then the elements with the last index fastest. Files may be compressed with gzip;
/// the content decides, not the name.
///
/// No more memory is taken than the file can fill, whatever its header claims.
/// Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
public struct IDXFile: Sendable {
  /// The size of each dimension.
  public let sizes: [Int]
  /// All elements, the last index fastest: as many as the product of the sizes.
  public let elements: [UInt8]

  /// Reads a file.
  /// - Throws: ``TesseraError`` with code `notFound` if there is no such file, and `invalidFile`, naming file and
  ///   offset, if it is empty, truncated, too long, damaged, not an IDX file, or of a type or rank that isn't
  ///   supported.
  public init(path: String) throws(TesseraError) {
    try self.init(ByteStream(path: path))
  }

  /// Reads the bytes of a file, plain or gzip; `name` is what errors call them.
  /// - Throws: ``TesseraError`` with code `invalidFile`, as for a file.
  public init(bytes: [UInt8], name: String = "IDX bytes") throws(TesseraError) {
    try self.init(ByteStream(bytes: bytes, name: name))
  }

  private init(_ stream: consuming ByteStream) throws(TesseraError) {
    let magic = try stream.readArray(count: 4)
    if magic.isEmpty { throw stream.invalid(at: 0, expected: "an IDX file", found: "an empty file") }
    guard magic.count == 4 else {
      throw stream.invalid(at: 0, expected: "4 bytes of magic number", found: "\(magic.count) bytes")
    }
    guard magic[0] == 0, magic[1] == 0, magic[2] == 0x08, (1...4).contains(magic[3]) else {
      throw stream.invalid(
        at: 0, expected: "magic number 00 00 08 01 to 00 00 08 04 (unsigned bytes of rank 1 to 4)",
        found: magic.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " "))
    }

    let rank = Int(magic[3])
    let header = try stream.readArray(count: 4 * rank)
    guard header.count == 4 * rank else {
      throw stream.invalid(at: 4, expected: "\(4 * rank) bytes of sizes", found: "\(header.count) bytes")
    }
    let sizes = (0..<rank).map { dimension in
      header[4 * dimension..<4 * dimension + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    let shape = sizes.map(String.init).joined(separator: " x ")

    let start = stream.offset
    var count = 1
    for size in sizes {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow else {
        throw stream.invalid(at: 4, expected: "sizes whose product fits 64 bits", found: shape)
      }
      count = product
    }
    // Before anything is allocated: can the file hold so much?
    let (end, overflow) = start.addingReportingOverflow(count)
    guard !overflow, end <= stream.longestSize else {
      let most = stream.longestSize - start
      throw stream.invalid(
        at: start, expected: "\(count) bytes of elements (\(shape))",
        found: stream.size == nil ? "a compressed file that holds at most \(most)" : "\(most) bytes")
    }
    let elements = try stream.readArray(count: count)
    guard elements.count == count else {
      throw stream.invalid(
        at: start, expected: "\(count) bytes of elements (\(shape))", found: "\(elements.count) bytes")
    }
    try stream.expectEnd()
    self.sizes = sizes
    self.elements = elements
  }
}
