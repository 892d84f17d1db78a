package import TesseraGraph

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Zeroed memory, aligned to 128 bytes and freed with its owner. What may be written when is the owner's business.
///
/// From half a large page on, it is whole large pages, which the system is asked for: a kernel that walks forty streams
/// at once would wait for address translations otherwise. Where the system refuses, small pages serve.
package final class AlignedMemory: @unchecked Sendable {
  /// Never empty memory at address nil: a base exists even for no bytes.
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int
  /// Whose memory this is a part of; nil: its own.
  private let whole: AlignedMemory?

  package static let alignment = 128
  /// Bytes of a small page, of which one is on one NUMA node.
  package static let page = 4096
  /// Bytes of a large page on the machines that have them.
  package static let largePage = 2 << 20

  /// Sizes follow from what a host asks for: a batch of a million images may be more than the machine has.
  /// - Parameters:
  ///   - homes: the NUMA nodes that its pages are to lie on.
  ///   - binder: what puts them there.
  /// - Throws: ``TesseraError/Code/systemFailure`` that names what the memory is for.
  package init(
    allocating byteCount: Int, for name: String, homes: PageHomes = .anywhere, binder: PageBinder = .system
  ) throws(TesseraError) {
    guard let base = Self.zeros(byteCount, homes, binder) else {
      throw TesseraError(
        .systemFailure, at: name, expected: "\(byteCount) bytes of memory", found: "less")
    }
    (self.base, self.byteCount, whole) = (base, byteCount, nil)
  }

  /// A part of other memory, which it keeps.
  package init(_ bytes: Range<Int>, of whole: AlignedMemory) {
    precondition(bytes.lowerBound >= 0 && bytes.upperBound <= whole.byteCount, "a part of what there is")
    (base, byteCount, self.whole) = (whole.base + bytes.lowerBound, bytes.count, whole)
  }

  /// What was allocated: this, or what it is a part of.
  package var piece: AlignedMemory { whole ?? self }

  /// Of a piece.
  package var allocatedByteCount: Int { Self.allocatedByteCount(byteCount) ?? byteCount }

  package var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: base, count: byteCount)
  }

  /// Of all that is touched for so many bytes; nil for more than an address can tell.
  package static func allocatedByteCount(_ byteCount: Int) -> Int? {
    let unit = isLarge(byteCount) ? largePage : 1
    let (rounded, overflow) = max(byteCount, 1).addingReportingOverflow(unit - 1)
    return overflow ? nil : rounded / unit * unit
  }

  private static func isLarge(_ byteCount: Int) -> Bool { byteCount >= largePage / 2 }

  private static func zeros(_ byteCount: Int, _ homes: PageHomes, _ binder: PageBinder) -> UnsafeMutableRawPointer? {
    guard let size = allocatedByteCount(byteCount) else { return nil }
    let isLarge = isLarge(byteCount)
    let alignment = isLarge ? largePage : homes.parts.isEmpty ? alignment : page
    var base: UnsafeMutableRawPointer?
    guard posix_memalign(&base, alignment, size) == 0, let base else { return nil }
    #if os(Linux)
      if isLarge, madvise(base, size, Int32(MADV_HUGEPAGE)) != 0 { RuntimeLog.largePagesRefused }
    #endif
    binder.place(UnsafeMutableRawBufferPointer(start: base, count: byteCount), homes)
    // Every page is there before the first run.
    base.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    return base
  }

  deinit { if whole == nil { free(base) } }
}
