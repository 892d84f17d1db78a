#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Elements that end where a page begins that may not be touched: an access behind the last one traps.
/// Bind it to a name while its pointer is in use: a temporary is gone before the call that takes its pointer.
final class GuardedBuffer<Element: BitwiseCopyable> {
  let pointer: UnsafeMutablePointer<Element>
  let count: Int
  private let base: UnsafeMutableRawPointer
  private let bytes: Int

  init(repeating value: Element, count: Int) {
    let page = Int(getpagesize())
    let size = count * MemoryLayout<Element>.stride
    let payload = max(1, (size + page - 1) / page) * page
    bytes = payload + page
    guard let base = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0),
      base != MAP_FAILED, mprotect(base + payload, page, PROT_NONE) == 0
    else { fatalError("no guarded buffer of \(bytes) bytes") }
    self.base = base
    self.count = count
    pointer = (base + payload - size).bindMemory(to: Element.self, capacity: max(count, 1))
    pointer.initialize(repeating: value, count: count)
  }

  convenience init(_ values: [Element]) where Element: ExpressibleByIntegerLiteral {
    self.init(repeating: 0, count: values.count)
    for i in values.indices { pointer[i] = values[i] }
  }

  deinit { munmap(base, bytes) }

  var values: [Element] { (0..<count).map { pointer[$0] } }
}

extension GuardedBuffer<Float> {
  /// What a result is before its kernel runs, so that an element not written shows.
  static func poisoned(_ count: Int) -> GuardedBuffer { GuardedBuffer(repeating: .nan, count: count) }

  var doubles: [Double] { values.map(Double.init) }
}
