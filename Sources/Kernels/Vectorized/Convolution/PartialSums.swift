/// The second phase of a weight gradient whose partials are whole ones, [chunks][count]: their sum in the order of the
/// chunks, or zeros where there is no chunk.
struct PartialSums: Sendable {
  /// Elements of the gradient.
  let count: Int
  let chunks: Int

  /// As many chunks as the bound of the partials allows, max(8 dw, 32 MiB).
  static func mostChunks(count: Int) -> Int { max(8, (32 << 20) / MemoryLayout<Float>.stride / count) }

  private static var elementsPerTask: Int { 8192 }

  var partialsCount: Int { chunks * count }
  var taskCount: Int { ceilingQuotient(count, Self.elementsPerTask) }

  func add(task: Int, _ partials: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>) {
    var i = task &* Self.elementsPerTask
    let end = min(count, i &+ Self.elementsPerTask)
    while i < end {
      let valid = min(lanes, end &- i)
      var sum = Vector.zero
      for chunk in 0..<chunks { sum += load(partials + (chunk &* count &+ i), valid: valid) }
      store(sum, target + i, valid: valid)
      i &+= lanes
    }
  }
}
