extension Kernels {
  public static func channelMoments(
    rows: Int, channels: Int, x: UnsafePointer<Float>, xPitch: Int, moments: UnsafeMutablePointer<Float>
  ) {
    forEachChannelBlock(channels) {
      measureRows($0, rows: rows, channels: channels, x: x, xPitch: xPitch, moments: moments)
    } one: {
      measureRows($0, rows: rows, channels: channels, x: x, xPitch: xPitch, moments: moments)
    }
  }

  /// With n rows so far and m more: mean += delta m / (n + m), m2 += m2' + delta^2 n m / (n + m) (Chan, Golub, LeVeque
  /// 1979). Means are kept as distances from the first, which are small where the means are large.
  public static func combineMoments(
    chunks: Int, rowsPerChunk: Int, rows: Int, channels: Int, moments: UnsafePointer<Float>,
    mean: UnsafeMutablePointer<Float>, variance: UnsafeMutablePointer<Float>
  ) {
    forEachVector(channels) { c, valid in
      let first = load(moments + c, valid: valid)
      var distance = Vector.zero
      var squares = load(moments + channels + c, valid: valid)
      for j in 1..<max(chunks, 1) {
        let chunk = moments + 2 &* j &* channels
        let before = Double(j &* rowsPerChunk)
        let added = Double(min(rowsPerChunk, rows &- j &* rowsPerChunk))
        let share = added / (before + added)
        let delta = load(chunk + c, valid: valid) - first - distance
        distance = multiplyAdd(distance, delta, Vector(repeating: Float(share)))
        squares += load(chunk + channels + c, valid: valid)
        squares = multiplyAdd(squares, delta * delta, Vector(repeating: Float(before * share)))
      }
      store(first + distance, mean + c, valid: valid)
      store(squares / Float(rows), variance + c, valid: valid)
    }
  }
}

/// One pass over deviations d = x - shift, the shift being the mean of the first rows:
/// mean = shift + sum d / n, m2 = sum d^2 - (sum d)^2 / n. What cancels is of the size of the shift's error, not of the
/// mean.
@inline(__always)
private func measureRows<let vectors: Int>(
  _ block: ChannelBlock<vectors>, rows: Int, channels: Int, x: UnsafePointer<Float>, xPitch: Int,
  moments: UnsafeMutablePointer<Float>
) {
  var shift = ChannelBlock<vectors>.zero
  let sampled = min(rows, 8)
  for row in 0..<sampled {
    let values = block.values(x + row &* xPitch)
    for v in 0..<vectors { shift[v] += values[v] }
  }
  for v in 0..<vectors { shift[v] /= Float(sampled) }

  var sums = ChannelBlock<vectors>.zero
  var squares = ChannelBlock<vectors>.zero
  forEachRun(rows) { run in
    var sum = ChannelBlock<vectors>.zero
    var square = ChannelBlock<vectors>.zero
    for row in run {
      block.readAhead(x + row &* xPitch, channels, pitch: xPitch)
      let values = block.values(x + row &* xPitch)
      for v in 0..<vectors {
        let deviation = values[v] - shift[v]
        sum[v] += deviation
        square[v] = multiplyAdd(square[v], deviation, deviation)
      }
    }
    for v in 0..<vectors {
      sums[v] += sum[v]
      squares[v] += square[v]
    }
  }

  let n = Vector(repeating: Float(rows))
  block.write(block.map { shift[$0] + sums[$0] / n }, moments)
  block.write(
    block.map { v in
      let m2 = squares[v] - sums[v] * (sums[v] / n)
      return m2.replacing(with: 0, where: m2 .< 0)
    }, moments + channels)
}
