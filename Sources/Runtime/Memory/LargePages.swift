/// How much of some memory lies in large pages, of which one address translation serves 2 MiB.
public struct LargePages: Hashable, Sendable, Encodable {
  /// Bytes that were looked at: pieces that are large enough for one.
  public let byteCount: Int
  /// Of these in large pages; nil where the system doesn't tell.
  public let largeByteCount: Int?

  enum CodingKeys: String, CodingKey {
    case byteCount = "bytes"
    case largeByteCount = "large_bytes"
  }

  /// Asks the system: proc(5), smaps.
  init(_ memory: [AlignedMemory]) {
    let pieces = memory.filter { $0.byteCount >= AlignedMemory.largePage }.map { piece in
      let start = UInt(bitPattern: piece.base)
      return start..<start + UInt(piece.byteCount)
    }
    byteCount = pieces.reduce(0) { $0 + $1.count }
    largeByteCount = SystemFile.text("/proc/self/smaps", limit: 64 << 20).map { Self.large($0, pieces) }
  }

  /// Bytes of anonymous large pages in the mappings that hold the pieces, at most as many as those are.
  package static func large(_ maps: String, _ pieces: [Range<UInt>]) -> Int {
    var total = 0
    // Of the mapping that the lines are about: bytes of pieces in it.
    var inMapping: UInt = 0
    for line in maps.utf8.split(separator: UInt8(ascii: "\n")) {
      let words = line.split(separator: UInt8(ascii: " ")).map { Substring($0) }
      guard let first = words.first else { continue }
      let bounds = first.split(separator: "-").map { UInt($0, radix: 16) }
      if bounds.count == 2, let start = bounds[0], let end = bounds[1], start <= end {
        inMapping = pieces.reduce(0) { $0 + UInt($1.clamped(to: start..<end).count) }
      } else if inMapping > 0, first == "AnonHugePages:", words.count > 1, let kibibytes = UInt(words[1]) {
        total += Int(min(kibibytes << 10, inMapping))
      }
    }
    return total
  }
}
