extension Kernels {
  public static func normalize(
    rows: Int, channels: Int, x: UnsafePointer<Float>, mean: UnsafePointer<Float>,
    variance: UnsafePointer<Float>, scale: UnsafePointer<Float>, shift: UnsafePointer<Float>,
    epsilon: Float, y: UnsafeMutablePointer<Float>
  ) {
    @inline(__always)
    func normalizeRows<let vectors: Int>(_ block: ChannelBlock<vectors>) {
      let inverse = block.inverseDeviation(variance, epsilon)
      let scale = block.values(scale)
      let factor = block.map { scale[$0] * inverse[$0] }
      let mean = block.values(mean)
      let shift = block.values(shift)
      for row in 0..<rows {
        let x = block.values(x + row &* channels)
        // The mean goes first: x and mean may both be large, and their difference is exact.
        block.write(
          block.map { multiplyAdd(shift[$0], x[$0] - mean[$0], factor[$0]) }, y + row &* channels)
      }
    }
    forEachChannelBlock(channels) {
      normalizeRows($0)
    } one: {
      normalizeRows($0)
    }
  }
}
