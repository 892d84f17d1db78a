public import TesseraKernelContract

extension Kernels {
  public static func dropout(
    first: Int, count: Int, probability: Double, key: DropoutKey, step: UInt64,
    x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>
  ) {
    let kept = Vector(repeating: Float(1 - probability))
    // A word is below probability * 2^32 iff it is below the next integer, or for the last step below 1 iff it isn't the
    // largest. Flipping the top bits of both compares them as signed integers, for which every instruction set has an
    // instruction.
    let limit = min((probability * 0x1p32).rounded(.up), 0x1p32 - 1)
    let threshold = IntVector(repeating: Int32(bitPattern: UInt32(limit) ^ 1 << 31))

    // Elements are numbered from the start of the whole tensor; 32 of them, from a multiple of 4, share one call.
    let end = first + count
    var start = first & ~3
    while start < end {
      // Twice as long as its content: vectors that begin in the last block's words are loaded whole.
      let words = philoxWords(block: UInt64(start / 4), step: step, key: key)
      let padded = SIMD64<UInt32>(lowHalf: words, highHalf: words)
      withUnsafeBytes(of: padded) { bytes in
        let lower = max(first, start)
        let upper = min(end, start + 32)
        forEachVector(upper - lower) { i, valid in
          let element = lower + i
          let word = bytes.loadUnaligned(fromByteOffset: 4 * (element - start), as: IntVector.self)
          let dropped = (word ^ IntVector(repeating: .min)) .< threshold
          let value = load(x + (element - first), valid: valid) / kept
          store(value.replacing(with: 0, where: dropped), y + (element - first), valid: valid)
        }
      }
      start += 32
    }
  }
}
