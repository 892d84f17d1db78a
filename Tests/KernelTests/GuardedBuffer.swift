#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Elements between two pages that may not be touched, so that an access outside them traps: they end where the page
/// behind begins, or begin where the page before ends.
/// Bind it to a name while its pointer is in use: a temporary is gone before the call that takes its pointer.
final class GuardedBuffer<Element: BitwiseCopyable> {
  let pointer: UnsafeMutablePointer<Element>
  let count: Int
  private let base: UnsafeMutableRawPointer
  private let bytes: Int

  /// Where the forbidden page is adjacent; on the other side it's up to a page away.
  enum Side { case start, end }

  init(repeating value: Element, count: Int, guardedAt side: Side = .end) {
    let page = Int(getpagesize())
    let size = count * MemoryLayout<Element>.stride
    let payload = max(1, (size + page - 1) / page) * page
    bytes = payload + 2 * page
    guard let base = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0),
      base != MAP_FAILED, mprotect(base, page, PROT_NONE) == 0,
      mprotect(base + page + payload, page, PROT_NONE) == 0
    else { fatalError("no guarded buffer of \(bytes) bytes") }
    self.base = base
    self.count = count
    let offset = side == .start ? page : page + payload - size
    pointer = (base + offset).bindMemory(to: Element.self, capacity: max(count, 1))
    fill(value)
  }

  convenience init(_ values: [Element], guardedAt side: Side = .end) where Element: ExpressibleByIntegerLiteral {
    self.init(repeating: 0, count: values.count, guardedAt: side)
    for i in values.indices { pointer[i] = values[i] }
  }

  deinit { munmap(base, bytes) }

  func fill(_ value: Element) { pointer.update(repeating: value, count: count) }

  var values: [Element] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
}

extension GuardedBuffer<Float> {
  /// What a result is before its kernel runs, so that an element not written shows.
  static func poisoned(_ count: Int) -> GuardedBuffer { GuardedBuffer(repeating: .nan, count: count) }

  var doubles: [Double] { values.map(Double.init) }
}
