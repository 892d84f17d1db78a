import Foundation
import TesseraData
import TesseraGraph
import Testing

@Suite("IDX files")
struct IDXFileTests {
  static let shapes: [[Int]] = [[5], [2, 3], [4, 3, 2], [2, 3, 1, 7], [0], [3, 0, 2], [300, 28, 28]]

  @Test("What was written is read, plain and gzip, from memory and from a file", arguments: shapes)
  func roundTrip(sizes: [Int]) throws {
    let elements = (0..<sizes.reduce(1, *)).map { UInt8(truncatingIfNeeded: $0 &* 37 ^ $0 >> 8) }
    let plain = idxBytes(sizes, elements)
    for bytes in [plain, try gzip(plain)] {
      let fromMemory = try IDXFile(bytes: bytes)
      #expect(fromMemory.sizes == sizes)
      #expect(fromMemory.elements == elements)
      try withTemporaryFolder { folder in
        try write(bytes, to: "\(folder)/file")
        let fromFile = try IDXFile(path: "\(folder)/file")
        #expect(fromFile.sizes == sizes)
        #expect(fromFile.elements == elements)
      }
    }
  }

  @Test("Gzip files of several members are one file")
  func members() throws {
    let plain = idxBytes([1000], [UInt8](repeating: 9, count: 1000))
    let file = try IDXFile(bytes: gzip(Array(plain[..<3])) + gzip([]) + gzip(Array(plain[3...])))
    #expect(file.sizes == [1000])
  }

  @Test("Files that can't be opened")
  func unreadable() throws {
    expectError(.notFound, "no/such/file", "No such file") { _ = try IDXFile(path: "/no/such/file") }
    try withTemporaryFolder { folder in
      expectError(.invalidFile, folder, "regular file") { _ = try IDXFile(path: folder) }
    }
  }

  @Test("Empty and truncated files say where they end")
  func truncated() throws {
    expectError(.invalidFile, "x, offset 0", "empty") { _ = try IDXFile(bytes: [], name: "x") }
    let plain = idxBytes([2, 3], [1, 2, 3, 4, 5, 6])
    for length in 1..<plain.count {
      let offset = length < 4 ? 0 : length < 12 ? 4 : 12
      expectError(.invalidFile, "x, offset \(offset)", "\(length - offset) bytes") {
        _ = try IDXFile(bytes: Array(plain[..<length]), name: "x")
      }
      expectError(.invalidFile, "x, offset \(offset)") {
        _ = try IDXFile(bytes: gzip(Array(plain[..<length])), name: "x")
      }
    }
    let compressed = try gzip(plain)
    for length in 1..<compressed.count {
      expectError(.invalidFile) { _ = try IDXFile(bytes: Array(compressed[..<length])) }
    }
  }

  @Test(
    "Wrong magic numbers",
    arguments: [[1, 0, 8, 1], [0, 1, 8, 1], [0, 0, 13, 1], [0, 0, 8, 0], [0, 0, 8, 5], [80, 75, 3, 4]] as [[UInt8]])
  func magic(bytes: [UInt8]) {
    let found = bytes.map { String(format: "%02x", $0) }.joined(separator: " ")
    expectError(.invalidFile, "x, offset 0", "magic", found) {
      _ = try IDXFile(bytes: bytes + [0, 0, 0, 0], name: "x")
    }
  }

  @Test("Sizes beyond the file are errors before memory is taken")
  func excessiveSizes() throws {
    let most = 0xFFFF_FFFF
    for sizes in [[most], [most, most], [most, most, most], [most, most, most, most], [1 << 31, 1 << 31, 2]] {
      let plain = idxBytes(sizes, [1, 2, 3])
      expectError(.invalidFile, "expected", "found") { _ = try IDXFile(bytes: plain) }
      expectError(.invalidFile, "expected", "found") { _ = try IDXFile(bytes: gzip(plain)) }
    }
    expectError(.invalidFile, "offset 8", "7 bytes of elements (7)", "found 3 bytes") {
      _ = try IDXFile(bytes: idxBytes([7], [1, 2, 3]))
    }
    expectError(.invalidFile, "offset 8", "7 bytes of elements (7)", "found 3 bytes") {
      _ = try IDXFile(bytes: gzip(idxBytes([7], [1, 2, 3])))
    }
  }

  @Test("Bytes after the elements are errors")
  func trailing() throws {
    let long = idxBytes([2], [1, 2, 3])
    expectError(.invalidFile, "offset 10", "end of the file", "1 more bytes") { _ = try IDXFile(bytes: long) }
    expectError(.invalidFile, "offset 10", "end of the file") { _ = try IDXFile(bytes: gzip(long)) }
    expectError(.invalidFile, "gzip") { _ = try IDXFile(bytes: gzip(idxBytes([2], [1, 2])) + [7, 7, 7]) }
  }

  @Test("Damage of compressed data is found by its checksum at the latest")
  func damage() throws {
    var bytes = try gzip(idxBytes([100], (0..<100).map { $0 &* 91 }))
    bytes[bytes.count - 8] ^= 1
    expectError(.invalidFile, "x, compressed offset", "gzip", "incorrect data check") {
      _ = try IDXFile(bytes: bytes, name: "x")
    }
    bytes[3] = 0xFF
    expectError(.invalidFile, "gzip") { _ = try IDXFile(bytes: bytes) }
  }

  @Test("500 mutated files are read or refused, never more")
  func mutations() throws {
    var random = Random(state: 20)
    let plain = idxBytes([20, 5, 5], (0..<500).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    let compressed = try gzip(plain)
    for round in 0..<500 {
      var bytes = round % 2 == 0 ? plain : compressed
      for _ in 0...random.below(3) {
        // Half of the changes hit the header, where they do most.
        let place = random.below(random.below(2) == 0 ? min(20, bytes.count) : bytes.count)
        switch random.below(5) {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes[place] ^= 1 << random.below(8)
        case 2: bytes.removeSubrange(place...)
        case 3: bytes.insert(contentsOf: bytes[place...].prefix(random.below(64)), at: place)
        default: bytes[place] = 0xFF
        }
        if bytes.isEmpty { break }
      }
      do throws(TesseraError) {
        let file = try IDXFile(bytes: bytes)
        #expect(file.elements.count == file.sizes.reduce(1, *))
      } catch {
        #expect(error.code == .invalidFile)
      }
    }
  }
}

/// A small generator (Knuth's MMIX constants) for mutations that are the same in every run.
struct Random {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33
  }
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
