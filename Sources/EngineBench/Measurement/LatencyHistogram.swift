import Histogram

/// Nanoseconds, to three digits, up to a day.
typealias LatencyHistogram = Histogram<UInt64>

extension LatencyHistogram {
  static var ofLatencies: LatencyHistogram { LatencyHistogram(highestTrackableValue: 86_400_000_000_000) }

  /// Milliseconds that so many of a hundred took at most.
  func milliseconds(percentile: Double) -> Double { Double(valueAtPercentile(percentile)) * 1e-6 }

  /// Pairs of milliseconds and how many took so long, to two digits: what a plot needs.
  var milliseconds: [[Double]] {
    var coarse = LatencyHistogram(highestTrackableValue: highestTrackableValue, numberOfSignificantValueDigits: .two)
    for step in recordedValues() { coarse.record(step.value, count: step.count) }
    return coarse.recordedValues().map { [Double($0.value) * 1e-6, Double($0.count)] }
  }
}
