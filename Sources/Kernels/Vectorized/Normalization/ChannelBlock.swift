import CTesseraShims

/// A few vectors of neighbouring channels, whose parameters or sums stay in registers while the rows of [rows,
/// channels] go by.
struct ChannelBlock<let vectors: Int> {
  typealias Values = InlineArray<vectors, Vector>

  /// The first channel.
  var channel: Int
  /// Lanes of the last vector that are channels; the vectors before it are whole.
  var valid: Int
  /// Rows from one to that which is asked for while it passes; 0: none is.
  var rowsAhead = 0

  /// A block of whole vectors. The first of several asks for rows some 4 KiB ahead.
  @inline(__always)
  init(wholeFrom channel: Int, of channels: Int) {
    let isFirstOfMany = channel == 0 && channels > vectors &* lanes
    (self.channel, valid, rowsAhead) = (channel, lanes, isFirstOfMany ? max(1, 1024 / channels) : 0)
  }

  @inline(__always)
  init(channel: Int, valid: Int) { (self.channel, self.valid) = (channel, valid) }

  @inline(__always)
  static var zero: Values { Values(repeating: .zero) }

  /// The block's values of a row of channels.
  @inline(__always)
  func values(_ row: UnsafePointer<Float>) -> Values {
    var values = Self.zero
    for v in 0..<vectors {
      values[v] = load(row + (channel &+ v &* lanes), valid: v == vectors &- 1 ? valid : lanes)
    }
    return values
  }

  /// Writes the block's values into a row of channels; past the caches if it `streams`, which takes whole vectors and an
  /// aligned row.
  @inline(__always)
  func write(_ values: Values, _ row: UnsafeMutablePointer<Float>, streams: Bool = false) {
    if streams {
      for v in 0..<vectors { stream(values[v], row + (channel &+ v &* lanes)) }
      return
    }
    for v in 0..<vectors {
      store(values[v], row + (channel &+ v &* lanes), valid: v == vectors &- 1 ? valid : lanes)
    }
  }

  /// Asks for a whole row some way ahead while the first of several blocks passes: blocks don't go by in the order in
  /// which rows lie in memory, `pitch` floats from one to the next.
  @inline(__always)
  func readAhead(_ row: UnsafePointer<Float>, _ channels: Int, pitch: Int) {
    guard rowsAhead > 0 else { return }
    var c = rowsAhead &* pitch
    let end = c &+ channels
    while c < end {
      tessera_prefetch(row + c)
      c &+= 16
    }
  }

  /// The vectors function(0), function(1), ...
  @inline(__always)
  func map(_ function: (Int) -> Vector) -> Values {
    var values = Self.zero
    for v in 0..<vectors { values[v] = function(v) }
    return values
  }

  /// 1 / sqrt(variance + epsilon)
  @inline(__always)
  func inverseDeviation(_ variance: UnsafePointer<Float>, _ epsilon: Float) -> Values {
    let variance = values(variance)
    return map { 1 / squareRoot(variance[$0] + epsilon) }
  }
}

/// Cuts the channels into blocks of four vectors and, for the rest, of one.
///
/// Four: whole cache lines of a row are read together, four chains hide the latency of an addition, and the four
/// parameters of the longest formula fit 16 of AVX-512's registers.
@inline(__always)
func forEachChannelBlock(
  _ channels: Int, four: (ChannelBlock<4>) -> Void, one: (ChannelBlock<1>) -> Void
) {
  var c = 0
  while c &+ 4 &* lanes <= channels {
    four(ChannelBlock(wholeFrom: c, of: channels))
    c &+= 4 &* lanes
  }
  while c < channels {
    one(ChannelBlock(channel: c, valid: min(lanes, channels &- c)))
    c &+= lanes
  }
}

/// Calls `body` for runs of at most 64 rows. Sums over a run are added to sums of runs, so that the error grows with
/// 64 + rows / 64 and not with rows.
@inline(__always)
func forEachRun(_ rows: Int, _ body: (Range<Int>) -> Void) {
  var row = 0
  while row < rows {
    let end = min(row &+ 64, rows)
    body(row..<end)
    row = end
  }
}

/// Whether rows of channels may be written past the caches: whole vectors at aligned addresses.
@inline(__always)
func canStream(_ channels: Int, _ y: UnsafeMutablePointer<Float>) -> Bool {
  channels & (lanes &- 1) == 0 && floatsBeforeAlignment(y) == 0
}
