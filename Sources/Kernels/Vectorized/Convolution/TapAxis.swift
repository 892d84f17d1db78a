import TesseraKernelContract

/// One axis of a correlation: which inputs meet which taps of the window for which outputs.
///
/// Output i, 0 <= i < outputCount, lies at position outputStart + i outputStep of the tensor and sums over those taps
/// t, 0 <= t < taps, whose input position i inputStep + offset + t offsetStep is inside 0..<inputExtent. Tap t is
/// number firstTap + t tapStep of the packed window.
///
/// Forward is one such axis. Backward-data splits into `stride` phases, each of which is one: the outputs h of one
/// phase share h mod stride, meet the same taps, and step through dy one by one.
struct TapAxis: Sendable {
  var taps: Int, firstTap: Int, tapStep: Int
  var offset: Int, offsetStep: Int, inputStep: Int, inputExtent: Int
  var outputStart: Int, outputStep: Int, outputCount: Int

  /// Input position p stride - pad + r dilation of output p and tap r.
  static func forward(
    window: Int, stride: Int, dilation: Int, pad: Int, inputExtent: Int, outputCount: Int
  ) -> TapAxis {
    TapAxis(
      taps: window, firstTap: 0, tapStep: 1, offset: -pad, offsetStep: dilation, inputStep: stride,
      inputExtent: inputExtent, outputStart: 0, outputStep: 1, outputCount: outputCount)
  }

  /// Outputs h = phase + i stride; h = p stride - pad + r dilation, so r takes part iff phase + pad - r dilation is a
  /// multiple of the stride, and then p = i + (phase + pad - r dilation) / stride. These r are an arithmetic
  /// progression with step stride / gcd(stride, dilation). Taps are numbered from the last r to the first, in order of
  /// growing p.
  static func backward(
    window: Int, stride: Int, dilation: Int, pad: Int, inputExtent: Int, extent: Int, phase: Int
  ) -> TapAxis {
    let step = stride / greatestCommonDivisor(stride, dilation)
    var last = window - 1
    while last >= 0, last > window - 1 - step, (phase + pad - last * dilation) % stride != 0 { last -= 1 }
    let met = last >= 0 && (phase + pad - last * dilation) % stride == 0
    return TapAxis(
      taps: met ? last / step + 1 : 0, firstTap: window - 1 - last, tapStep: step,
      offset: met ? (phase + pad - last * dilation) / stride : 0, offsetStep: dilation * step / stride,
      inputStep: 1, inputExtent: inputExtent, outputStart: phase, outputStep: stride,
      outputCount: extent > phase ? (extent - phase + stride - 1) / stride : 0)
  }

  /// The taps whose input is inside the image for output i: a run of them, (0, 0) if there is none.
  @inline(__always)
  func tapsInside(_ i: Int) -> (first: Int, count: Int) {
    let start = i &* inputStep &+ offset
    let first = start < 0 ? (offsetStep &- 1 &- start) / offsetStep : 0
    let room = inputExtent &- start
    let end = room > 0 ? min(taps, (room &+ offsetStep &- 1) / offsetStep) : 0
    return first < end ? (first, end &- first) : (0, 0)
  }

  /// The end of the run of outputs from i on, at most `limit`, that meet the same taps inside the image.
  func runEnd(from i: Int, limit: Int) -> Int {
    if taps == 0 { return limit }
    let run = tapsInside(i)
    if run.count == 0 {
      var end = i &+ 1
      while end < limit, tapsInside(end).count == 0 { end &+= 1 }
      return end
    }
    // Neither bound of the run of taps ever grows with i, so that outputs alike are neighbours.
    if tapsInside(limit &- 1) == run { return limit }
    var (alike, other) = (i, limit &- 1)
    while other &- alike > 1 {
      let middle = (alike &+ other) / 2
      if tapsInside(middle) == run { alike = middle } else { other = middle }
    }
    return other
  }
}

func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
  var (a, b) = (a, b)
  while b != 0 { (a, b) = (b, a % b) }
  return a
}

@inline(__always)
func ceilingQuotient(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }
