/// Steele, Lea and Flood's SplitMix64, the generator behind every shuffle.
///
/// It is written out here, with its own way to a bounded number, so that the order of the images depends on seed and
/// epoch only and never on the version of a standard library.
///
///     state += 0x9E3779B97F4A7C15;  output = mix(state), mix as below
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
struct SplitMix64 {
  private var state: UInt64

  init(state: UInt64) { self.state = state }

  /// The stream of one epoch: both numbers go through the mixing function, so neighbouring seeds and epochs share
  /// nothing.
  init(seed: UInt64, epoch: Int) {
    state = Self.mix(Self.mix(seed) &+ UInt64(bitPattern: Int64(epoch)))
  }

  /// The stream of one image in one epoch, apart from the one that orders the images.
  init(seed: UInt64, epoch: Int, image: Int) {
    let stream = Self.mix(Self.mix(seed) &+ UInt64(bitPattern: Int64(epoch)))
    state = Self.mix(stream ^ Self.mix(UInt64(bitPattern: Int64(image)) &+ 1))
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Self.mix(state)
  }

  /// A number in 0..<bound, each equally likely; `bound` is at least 1.
  ///
  /// The high half of a 64x64 product; products in the short first interval are drawn again, which removes the bias.
  /// Source: Lemire, "Fast random integer generation in an interval" (2019).
  mutating func next(below bound: UInt64) -> UInt64 {
    let threshold = (0 &- bound) % bound
    while true {
      let product = next().multipliedFullWidth(by: bound)
      if product.low >= threshold { return product.high }
    }
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
