import TesseraKernelContract

/// Words 0...31 of eight Philox4x32-10 blocks, `block` to block + 7, in the order of the elements they belong to.
///
/// Eight counters run side by side, one in each 64-bit lane, of which the words fill the lower half: the products of
/// two words are then single 32 x 32 -> 64 bit multiplications (`vpmuludq`). The function of
/// ``Philox4x32/block(counter:key:)``.
@inline(__always)
func philoxWords(block: UInt64, step: UInt64, key: DropoutKey) -> SIMD32<UInt32> {
  typealias Lanes = SIMD8<UInt64>
  let low = Lanes(repeating: 0xFFFF_FFFF)
  let multiplier0 = Lanes(repeating: UInt64(0xD251_1F53 as UInt32))
  let multiplier1 = Lanes(repeating: UInt64(0xCD9E_8D57 as UInt32))

  let blocks = Lanes(repeating: block) &+ Lanes(0, 1, 2, 3, 4, 5, 6, 7)
  var c0 = blocks & low
  var c1 = blocks &>> 32
  var c2 = Lanes(repeating: step & 0xFFFF_FFFF)
  var c3 = Lanes(repeating: step >> 32)
  var (k0, k1) = (key.word0, key.word1)
  for _ in 0..<10 {
    let product0 = multiplier0 &* c0
    let product1 = multiplier1 &* c2
    (c0, c1, c2, c3) = (
      (product1 &>> 32) ^ c1 ^ Lanes(repeating: UInt64(k0)), product1 & low,
      (product0 &>> 32) ^ c3 ^ Lanes(repeating: UInt64(k1)), product0 & low
    )
    k0 &+= 0x9E37_79B9
    k1 &+= 0xBB67_AE85
  }
  var words = SIMD16<UInt64>.zero
  words.evenHalf = c0 | (c1 &<< 32)
  words.oddHalf = c2 | (c3 &<< 32)
  return unsafeBitCast(words, to: SIMD32<UInt32>.self)
}
