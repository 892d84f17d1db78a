import Dispatch
import Tessera
import TesseraKernels
import TesseraRuntime

/// Elements in a host's own memory, as an embedder has them. It stays where it is while runs read and write it.
final class HostTensor<Element: BitwiseCopyable>: @unchecked Sendable {
  let elements: UnsafeMutableBufferPointer<Element>

  private let memory: AlignedMemory

  private init(count: Int) throws(TesseraError) {
    memory = try AlignedMemory(allocating: count * MemoryLayout<Element>.stride, for: "\(count) elements")
    elements = memory.bytes.bindMemory(to: Element.self)
  }

  /// - Throws: ``TesseraError/Code/systemFailure`` if there is no memory for them.
  convenience init(_ count: Int, _ element: (Int) -> Element) throws(TesseraError) {
    try self.init(count: count)
    for index in elements.indices { elements.initializeElement(at: index, to: element(index)) }
  }

  var bytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(elements) }

  /// The bytes of the first `count` elements.
  func bytes(_ count: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: bytes[..<(count * MemoryLayout<Element>.stride)])
  }

  var pointer: UnsafePointer<Element> { UnsafePointer(mutablePointer) }

  var mutablePointer: UnsafeMutablePointer<Element> {
    // Memory has a base even for no bytes.
    elements.baseAddress.unsafelyUnwrapped
  }
}

extension HostTensor<Float> {
  /// Unit-normal numbers that depend on seed and position only.
  /// - Throws: as the initializer.
  static func normal(_ count: Int, seed: UInt64) throws(TesseraError) -> HostTensor {
    let tensor = try HostTensor(count: count)
    let chunk = 1 << 16
    DispatchQueue.concurrentPerform(iterations: (count + chunk - 1) / chunk) { part in
      var random = PhiloxGenerator(seed: seed, stream: UInt64(part))
      for index in part * chunk..<min(count, (part + 1) * chunk) {
        tensor.elements.initializeElement(at: index, to: Float(random.normal()))
      }
    }
    return tensor
  }

  /// The magnitudes of its elements.
  func magnitudes() throws(TesseraError) -> HostTensor { try HostTensor(elements.count) { abs(elements[$0]) } }
}
