import CTesseraShims

extension Kernels {
  public static func normalize(
    rows: Int, channels: Int, x: UnsafePointer<Float>, xPitch: Int, mean: UnsafePointer<Float>,
    variance: UnsafePointer<Float>, scale: UnsafePointer<Float>, shift: UnsafePointer<Float>,
    epsilon: Float, y: UnsafeMutablePointer<Float>, streams: Bool
  ) {
    let streams = streams && x != UnsafePointer(y) && canStream(channels, y)
    @inline(__always)
    func normalizeRows<let vectors: Int>(_ block: ChannelBlock<vectors>) {
      let inverse = block.inverseDeviation(variance, epsilon)
      let scale = block.values(scale)
      let factor = block.map { scale[$0] * inverse[$0] }
      let mean = block.values(mean)
      let shift = block.values(shift)
      for row in 0..<rows {
        block.readAhead(x + row &* xPitch, channels, pitch: xPitch)
        let x = block.values(x + row &* xPitch)
        // The mean goes first: x and mean may both be large, and their difference is exact.
        block.write(
          block.map { multiplyAdd(shift[$0], x[$0] - mean[$0], factor[$0]) }, y + row &* channels,
          streams: streams)
      }
    }
    forEachChannelBlock(channels) {
      normalizeRows($0)
    } one: {
      normalizeRows($0)
    }
    if streams { tessera_stream_fence() }
  }
}
