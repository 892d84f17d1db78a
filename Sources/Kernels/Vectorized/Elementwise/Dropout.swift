import CTesseraShims
public import TesseraKernelContract

extension Kernels {
  public static func dropout(
    first: Int, count: Int, probability: Double, key: DropoutKey, step: UInt64,
    x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>, streams: Bool
  ) {
    let kept = Vector(repeating: Float(1 - probability))
    // A word is below probability * 2^32 iff it is below the next integer, or for the last step below 1 iff it isn't the
    // largest. Flipping the top bits of both compares them as signed integers, for which every instruction set has an
    // instruction.
    let limit = min((probability * 0x1p32).rounded(.up), 0x1p32 - 1)
    let threshold = IntVector(repeating: Int32(bitPattern: UInt32(limit) ^ 1 << 31))
    @inline(__always)
    func mask(_ x: Vector, _ words: IntVector) -> Vector {
      (x / kept).replacing(with: 0, where: (words ^ IntVector(repeating: .min)) .< threshold)
    }
    let streams = streams && x != UnsafePointer(y) && floatsBeforeAlignment(y) == 0 && first & 31 == 0

    // Elements are numbered from the start of the whole tensor; 32 of them, from a multiple of 4, share one call.
    let end = first + count
    var start = first & ~3
    // Twice as long as the words: vectors that begin in the last ones are loaded whole.
    var words = SIMD64<UInt32>.zero
    withUnsafeMutableBytes(of: &words) { bytes in
      guard let base = bytes.baseAddress else { return }
      while start < end {
        tessera_philox_words(
          UInt64(start / 4), step, key.word0, key.word1, base.assumingMemoryBound(to: UInt32.self))
        if start >= first && start + 32 <= end {
          var i = 0
          while i < 32 {
            let element = start - first + i
            let value = mask(load(x + element), base.loadUnaligned(fromByteOffset: 4 * i, as: IntVector.self))
            write(value, y + element, valid: lanes, streams: streams)
            i += lanes
          }
        } else {
          let lower = max(first, start)
          forEachVector(min(end, start + 32) - lower) { i, valid in
            let element = lower + i
            let word = base.loadUnaligned(fromByteOffset: 4 * (element - start), as: IntVector.self)
            store(mask(load(x + (element - first), valid: valid), word), y + (element - first), valid: valid)
          }
        }
        start += 32
      }
    }
    if streams { tessera_stream_fence() }
  }
}
