extension Kernels {
  public static func channelSums(
    rows: Int, channels: Int, x: UnsafePointer<Float>, sums: UnsafeMutablePointer<Float>
  ) {
    forEachChannelBlock(channels) {
      sumRows($0, rows: rows, channels: channels, x: x, sums: sums)
    } one: {
      sumRows($0, rows: rows, channels: channels, x: x, sums: sums)
    }
  }

  public static func addPartials(
    chunks: Int, count: Int, partials: UnsafePointer<Float>, result: UnsafeMutablePointer<Float>
  ) {
    forEachVector(count) { i, valid in
      var sum = Vector.zero
      for j in 0..<chunks { sum += load(partials + (j &* count &+ i), valid: valid) }
      store(sum, result + i, valid: valid)
    }
  }
}

@inline(__always)
private func sumRows<let vectors: Int>(
  _ block: ChannelBlock<vectors>, rows: Int, channels: Int, x: UnsafePointer<Float>,
  sums: UnsafeMutablePointer<Float>
) {
  var totals = ChannelBlock<vectors>.zero
  forEachRun(rows) { run in
    var sum = ChannelBlock<vectors>.zero
    for row in run {
      block.readAhead(x + row &* channels, channels, pitch: channels)
      let values = block.values(x + row &* channels)
      for v in 0..<vectors { sum[v] += values[v] }
    }
    for v in 0..<vectors { totals[v] += sum[v] }
  }
  block.write(totals, sums)
}
