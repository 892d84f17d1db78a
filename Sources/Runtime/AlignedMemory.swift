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

  package static let alignment = 128
  /// Bytes of a large page on the machines that have them.
  private static let largePage = 2 << 20

  /// Sizes follow from what a host asks for: a batch of a million images may be more than the machine has.
  /// - Throws: ``TesseraError/Code/systemFailure`` that names what the memory is for.
  package init(allocating byteCount: Int, for name: String) throws(TesseraError) {
    guard let base = Self.zeros(byteCount) else {
      throw TesseraError(
        .systemFailure, at: name, expected: "\(byteCount) bytes of memory", found: "less")
    }
    (self.base, self.byteCount) = (base, byteCount)
  }

  package var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: base, count: byteCount)
  }

  private static func zeros(_ byteCount: Int) -> UnsafeMutableRawPointer? {
    let isLarge = byteCount >= largePage / 2
    let unit = isLarge ? largePage : 1
    let (rounded, overflow) = max(byteCount, 1).addingReportingOverflow(unit - 1)
    guard !overflow else { return nil }
    let size = rounded / unit * unit
    var base: UnsafeMutableRawPointer?
    guard posix_memalign(&base, isLarge ? largePage : alignment, size) == 0 else { return nil }
    #if os(Linux)
      if isLarge { madvise(base, size, Int32(MADV_HUGEPAGE)) }
    #endif
    base?.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    return base
  }

  deinit { free(base) }
}
