extension Kernels {
  /// Channels have the same number of values: the group's mean is that of its channels' means, its variance the mean of
  /// their variances and of the squared distances of their means (Chan, Golub, LeVeque 1979).
  public static func groupMoments(
    channels: Int, groups: Int, mean: UnsafeMutablePointer<Float>, variance: UnsafeMutablePointer<Float>
  ) {
    let width = channels / max(1, groups)
    guard width > 1 else { return }
    for group in 0..<groups {
      let (mean, variance) = (mean + group &* width, variance + group &* width)
      // Distances from the first mean are small where the means are large.
      let first = Vector(repeating: mean[0])
      let distance = sumOfVectors(width) { i, valid in load(mean + i, valid: valid) - first } / Float(width)
      let center = Vector(repeating: mean[0] + distance)
      let spread =
        sumOfVectors(width) { i, valid in
          let apart = load(mean + i, valid: valid) - center
          return multiplyAdd(load(variance + i, valid: valid), apart, apart)
        } / Float(width)
      forEachVector(width) { i, valid in
        store(center, mean + i, valid: valid)
        store(Vector(repeating: spread), variance + i, valid: valid)
      }
    }
  }

  /// With g = dy scale, m = rows times the channels of a group: dx = inverse (g - sum g / m - xhat sum g xhat / m), so
  /// factor = scale inverse, slope = -inverse^2 sum(g xhat) / m, offset = -inverse sum(g) / m.
  public static func groupGradientTerms(
    rows: Int, channels: Int, groups: Int, sums: UnsafePointer<Float>, variance: UnsafePointer<Float>,
    scale: UnsafePointer<Float>, epsilon: Float, terms: UnsafeMutablePointer<Float>
  ) {
    let width = channels / max(1, groups)
    let count = Float(rows) * Float(width)
    var c = 0
    while c < channels {
      // Groups of one channel go by together.
      let end = width == 1 ? channels : c &+ width
      var (delta, product) = (Vector.zero, Vector.zero)
      if width > 1 {
        delta = Vector(
          repeating: sumOfVectors(width) { i, valid in
            load(sums + (c &+ i), valid: valid) * load(scale + (c &+ i), valid: valid)
          })
        product = Vector(
          repeating: sumOfVectors(width) { i, valid in
            load(sums + (channels &+ c &+ i), valid: valid) * load(scale + (c &+ i), valid: valid)
          })
      }
      forEachVector(end &- c) { i, valid in
        let c = c &+ i
        let inverse = 1 / squareRoot(load(variance + c, valid: valid) + epsilon)
        let scale = load(scale + c, valid: valid)
        let deltas = width == 1 ? load(sums + c, valid: valid) * scale : delta
        let products = width == 1 ? load(sums + (channels &+ c), valid: valid) * scale : product
        store(scale * inverse, terms + c, valid: valid)
        store(-inverse * inverse * (products / count), terms + (channels &+ c), valid: valid)
        store(-inverse * (deltas / count), terms + (2 &* channels &+ c), valid: valid)
      }
      c = end
    }
  }

  public static func groupNormalizeBackward(
    rows: Int, channels: Int, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, mean: UnsafePointer<Float>,
    terms: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>
  ) {
    @inline(__always)
    func combineRows<let vectors: Int>(_ block: ChannelBlock<vectors>) {
      let (factor, slope) = (block.values(terms), block.values(terms + channels))
      let (offset, mean) = (block.values(terms + 2 &* channels), block.values(mean))
      for row in 0..<rows {
        block.readAhead(x + row &* channels, channels, pitch: channels)
        block.readAhead(dy + row &* channels, channels, pitch: channels)
        let (x, dy) = (block.values(x + row &* channels), block.values(dy + row &* channels))
        block.write(
          block.map {
            multiplyAdd(multiplyAdd(offset[$0], dy[$0], factor[$0]), x[$0] - mean[$0], slope[$0])
          }, dx + row &* channels)
      }
    }
    forEachChannelBlock(channels) {
      combineRows($0)
    } one: {
      combineRows($0)
    }
  }
}
