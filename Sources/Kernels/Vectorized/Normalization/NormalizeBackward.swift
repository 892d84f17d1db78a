import CTesseraShims

extension Kernels {
  public static func normalizationGradientSums(
    rows: Int, channels: Int, x: UnsafePointer<Float>, xPitch: Int, dy: UnsafePointer<Float>,
    mean: UnsafePointer<Float>, variance: UnsafePointer<Float>, epsilon: Float,
    sums: UnsafeMutablePointer<Float>
  ) {
    @inline(__always)
    func sumRows<let vectors: Int>(_ block: ChannelBlock<vectors>) {
      let mean = block.values(mean)
      var deltas = ChannelBlock<vectors>.zero
      var products = ChannelBlock<vectors>.zero
      forEachRun(rows) { run in
        var delta = ChannelBlock<vectors>.zero
        var product = ChannelBlock<vectors>.zero
        for row in run {
          block.readAhead(x + row &* xPitch, channels, pitch: xPitch)
          block.readAhead(dy + row &* channels, channels, pitch: channels)
          let x = block.values(x + row &* xPitch)
          let dy = block.values(dy + row &* channels)
          for v in 0..<vectors {
            delta[v] += dy[v]
            product[v] = multiplyAdd(product[v], dy[v], x[v] - mean[v])
          }
        }
        for v in 0..<vectors {
          deltas[v] += delta[v]
          products[v] += product[v]
        }
      }
      let inverse = block.inverseDeviation(variance, epsilon)
      block.write(deltas, sums)
      block.write(block.map { products[$0] * inverse[$0] }, sums + channels)
    }
    forEachChannelBlock(channels) {
      sumRows($0)
    } one: {
      sumRows($0)
    }
  }

  public static func normalizeBackward(
    rows: Int, totalRows: Int, channels: Int, x: UnsafePointer<Float>, xPitch: Int, dy: UnsafePointer<Float>,
    mean: UnsafePointer<Float>, variance: UnsafePointer<Float>, scale: UnsafePointer<Float>,
    dscale: UnsafePointer<Float>, dshift: UnsafePointer<Float>, epsilon: Float,
    dx: UnsafeMutablePointer<Float>, streams: Bool
  ) {
    let streams = streams && x != UnsafePointer(dx) && dy != UnsafePointer(dx) && canStream(channels, dx)
    let count = Vector(repeating: Float(totalRows))
    @inline(__always)
    func backwardRows<let vectors: Int>(_ block: ChannelBlock<vectors>) {
      let inverse = block.inverseDeviation(variance, epsilon)
      let (scale, dscale, dshift) = (block.values(scale), block.values(dscale), block.values(dshift))
      let mean = block.values(mean)
      // dx = factor (dy - meanDelta - (x - mean) slope)
      let factor = block.map { scale[$0] * inverse[$0] }
      let meanDelta = block.map { dshift[$0] / count }
      let slope = block.map { -(dscale[$0] / count) * inverse[$0] }
      for row in 0..<rows {
        block.readAhead(x + row &* xPitch, channels, pitch: xPitch)
        block.readAhead(dy + row &* channels, channels, pitch: channels)
        let x = block.values(x + row &* xPitch)
        let dy = block.values(dy + row &* channels)
        block.write(
          block.map {
            factor[$0] * multiplyAdd(dy[$0] - meanDelta[$0], x[$0] - mean[$0], slope[$0])
          }, dx + row &* channels, streams: streams)
      }
    }
    forEachChannelBlock(channels) {
      backwardRows($0)
    } one: {
      backwardRows($0)
    }
    if streams { tessera_stream_fence() }
  }

  public static func normalizeBackwardFrozen(
    rows: Int, channels: Int, dy: UnsafePointer<Float>, variance: UnsafePointer<Float>,
    scale: UnsafePointer<Float>, epsilon: Float, dx: UnsafeMutablePointer<Float>,
    streams: Bool
  ) {
    let streams = streams && dy != UnsafePointer(dx) && canStream(channels, dx)
    @inline(__always)
    func scaleRows<let vectors: Int>(_ block: ChannelBlock<vectors>) {
      let inverse = block.inverseDeviation(variance, epsilon)
      let scale = block.values(scale)
      let factor = block.map { scale[$0] * inverse[$0] }
      for row in 0..<rows {
        block.readAhead(dy + row &* channels, channels, pitch: channels)
        let dy = block.values(dy + row &* channels)
        block.write(block.map { dy[$0] * factor[$0] }, dx + row &* channels, streams: streams)
      }
    }
    forEachChannelBlock(channels) {
      scaleRows($0)
    } one: {
      scaleRows($0)
    }
    if streams { tessera_stream_fence() }
  }
}
