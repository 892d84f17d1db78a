extension Kernels {
  // Windows are summed from a copy of the row between zeros, at shifted addresses: every lane has its own window, whose
  // terms are added in the order of the channels.

  public static func localResponse(
    rows: Int, channels: Int, before: Int, after: Int, alpha: Float, beta: Float, bias: Float, x: UnsafePointer<Float>,
    y: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    let window = ChannelWindow(channels: channels, before: before, after: after)
    window.clear(scratch)
    for row in 0..<rows {
      let (x, y) = (x + row &* channels, y + row &* channels)
      window.fill(scratch) { i, valid in
        let x = load(x + i, valid: valid)
        return x * x
      }
      forEachVector(channels) { i, valid in
        let s = multiplyAdd(Vector(repeating: bias), window.sum(scratch, i), Vector(repeating: alpha))
        store(load(x + i, valid: valid) * negativePower(s, beta), y + i, valid: valid)
      }
    }
  }

  public static func localResponseBackward(
    rows: Int, channels: Int, before: Int, after: Int, alpha: Float, beta: Float, bias: Float,
    dy: UnsafePointer<Float>, x: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let window = ChannelWindow(channels: channels, before: before, after: after)
    // A channel is in the windows of those for which it is as far on the other side.
    let mirrored = ChannelWindow(channels: channels, before: after, after: before)
    let (squares, shares, powers) = (scratch, scratch + window.count, scratch + 2 &* window.count)
    window.clear(squares)
    mirrored.clear(shares)
    let factor = Vector(repeating: -2 * alpha * beta)
    for row in 0..<rows {
      let (dy, x, dx) = (dy + row &* channels, x + row &* channels, dx + row &* channels)
      window.fill(squares) { i, valid in
        let x = load(x + i, valid: valid)
        return x * x
      }
      mirrored.fill(shares) { i, valid in
        let s = multiplyAdd(Vector(repeating: bias), window.sum(squares, i), Vector(repeating: alpha))
        let power = negativePower(s, beta)
        store(power, powers + i)
        return load(dy + i, valid: valid) * load(x + i, valid: valid) * power / s
      }
      forEachVector(channels) { i, valid in
        let direct = load(dy + i, valid: valid) * load(powers + i)
        let others = factor * mirrored.sum(shares, i)
        store(multiplyAdd(direct, load(x + i, valid: valid), others), dx + i, valid: valid)
      }
    }
  }

  public static func localResponseScratchCount(channels: Int, before: Int, after: Int) -> Int {
    3 * ChannelWindow(channels: channels, before: before, after: after).count
  }

  /// s^-beta for s >= 0. By roots for the exponent that networks have.
  @inline(__always)
  private static func negativePower(_ s: Vector, _ beta: Float) -> Vector {
    if beta == 0.75 {
      let root = squareRoot(s)
      return 1 / (root * squareRoot(root))
    }
    let power = exponential(logarithm(s) * Vector(repeating: -beta))
    return power.replacing(with: .infinity, where: s .== 0)
  }
}

/// Sums over windows of neighbouring channels.
private struct ChannelWindow {
  private let channels: Int
  private let before: Int
  private let after: Int

  /// Neighbours beyond the row are none, however wide the window.
  init(channels: Int, before: Int, after: Int) {
    self.channels = channels
    (self.before, self.after) = (min(before, channels), min(after, channels))
  }

  /// Floats of a row between zeros, and what whole vectors touch behind it.
  var count: Int { before &+ channels &+ after &+ 2 &* lanes }

  func clear(_ row: UnsafeMutablePointer<Float>) {
    forEachVector(count) { i, valid in store(.zero, row + i, valid: valid) }
  }

  /// Writes a value for each channel.
  @inline(__always)
  func fill(_ row: UnsafeMutablePointer<Float>, _ value: (_ i: Int, _ valid: Int) -> Vector) {
    // A closure within another wouldn't be inlined.
    var i = 0
    while i < channels {
      let valid = min(lanes, channels &- i)
      store(value(i, valid), row + (before &+ i), valid: valid)
      i &+= lanes
    }
  }

  /// The windows' sums for a vector of channels from i on.
  @inline(__always)
  func sum(_ row: UnsafePointer<Float>, _ i: Int) -> Vector {
    var sum = Vector.zero
    for j in 0...before &+ after { sum += load(row + (i &+ j)) }
    return sum
  }
}
