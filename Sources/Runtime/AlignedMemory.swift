#if canImport(Glibc)
  import Glibc
#endif

/// Zeroed memory, aligned to 128 bytes and freed with its owner. What may be written when is the owner's business.
package final class AlignedMemory: @unchecked Sendable {
  /// Never empty memory at address nil: a base exists even for no bytes.
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int

  package static let alignment = 128
  /// Bytes of a large page on the machines that have them.
  private static let largePage = 2 << 20

  /// From half a large page on, memory is whole large pages, which the system is asked for: a kernel that walks forty
  /// streams at once would wait for address translations otherwise. Where it refuses, small pages serve.
  package init(byteCount: Int) {
    self.byteCount = byteCount
    let isLarge = byteCount >= Self.largePage / 2
    let unit = isLarge ? Self.largePage : 1
    let size = max(1, (byteCount + unit - 1) / unit * unit)
    base = .allocate(byteCount: size, alignment: isLarge ? Self.largePage : Self.alignment)
    #if canImport(Glibc)
      if isLarge { madvise(base, size, Int32(MADV_HUGEPAGE)) }
    #endif
    base.initializeMemory(as: UInt8.self, repeating: 0, count: size)
  }

  package var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: base, count: byteCount)
  }

  deinit { base.deallocate() }
}
