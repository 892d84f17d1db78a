#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Floats between two pages that may not be touched, so that an access outside them traps: they end at the page behind, or
/// begin at the page before.
final class GuardedBuffer {
  let pointer: UnsafeMutablePointer<Float>
  let count: Int
  private let base: UnsafeMutableRawPointer
  private let bytes: Int

  enum Side { case end, start }

  init(_ count: Int, filledWith value: Float = .nan, guardedAt side: Side = .end) {
    let page = 4096
    let payload = max(1, (count * 4 + page - 1) / page) * page
    bytes = payload + 2 * page
    guard
      let base = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0),
      base != MAP_FAILED
    else { fatalError("mmap of \(bytes) bytes failed") }
    self.base = base
    self.count = count
    mprotect(base, page, PROT_NONE)
    mprotect(base + page + payload, page, PROT_NONE)
    let offset = side == .start ? page : page + payload - count * 4
    pointer = (base + offset).bindMemory(to: Float.self, capacity: count)
    fill(value)
  }

  func fill(_ value: Float) {
    pointer.update(repeating: value, count: count)
  }

  /// Values from -1 to 1, multiples of 2^-12, from a linear congruential generator.
  func randomize(_ generator: inout Generator) {
    for i in 0..<count { pointer[i] = generator.value() }
  }

  deinit { munmap(base, bytes) }
}

/// A small generator with a seed: tests are the same on every run.
struct Generator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33
  }

  mutating func value() -> Float { Float(Int(next() % 8193) - 4096) / 4096 }
  mutating func integer(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.count))
  }
  mutating func one<Element>(of elements: [Element]) -> Element {
    elements[integer(0...elements.count - 1)]
  }
}
