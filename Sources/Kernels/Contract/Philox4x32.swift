/// Philox4x32-10: a counter-based generator. Each 128-bit counter gives, under a 64-bit key, four independent 32-bit
/// words, so any element of a random tensor is computed alone, in any order, by any worker.
///
/// Ten rounds of (c0, c1, c2, c3) <- (hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1, lo(M0 c0)), the key growing
/// by (W0, W1) from round to round.
///
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), and its library
/// Random123.
public enum Philox4x32 {
  /// M0.
  public static let multiplier0: UInt32 = 0xD251_1F53
  /// M1.
  public static let multiplier1: UInt32 = 0xCD9E_8D57
  /// W0.
  public static let weyl0: UInt32 = 0x9E37_79B9
  /// W1.
  public static let weyl1: UInt32 = 0xBB67_AE85
  /// Rounds of mixing.
  public static let rounds = 10

  /// The four words of one counter; words count from the low end.
  public static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var c = counter
    var k = key
    for _ in 0..<rounds {
      let product0 = multiplier0.multipliedFullWidth(by: c[0])
      let product1 = multiplier1.multipliedFullWidth(by: c[2])
      c = SIMD4(
        product1.high ^ c[1] ^ k[0], product1.low, product0.high ^ c[3] ^ k[1], product0.low)
      k = SIMD2(k[0] &+ weyl0, k[1] &+ weyl1)
    }
    return c
  }
}
