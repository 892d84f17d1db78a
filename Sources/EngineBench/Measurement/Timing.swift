import Dispatch

/// How long a call takes, after a warm-up: the best mean of several windows, as the engines we compare with are measured.
struct Timing {
  let windows: Windows
  /// Over single calls.
  let medianSeconds: Double

  /// The best window mean.
  var bestSeconds: Double { windows.best }

  init(_ repetition: Repetition, _ call: () throws -> Void) throws {
    try self.init(repetition) {
      let start = DispatchTime.now().uptimeNanoseconds
      try call()
      return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    }
  }

  /// The same of calls that say themselves how many seconds of theirs count.
  init(_ repetition: Repetition, _ call: () throws -> Double) throws {
    _ = try call()
    _ = try call()
    var calls: [Double] = []
    windows = try repetition.measure {
      var count = 0
      var elapsed = 0.0
      while elapsed < repetition.window {
        let seconds = try call()
        calls.append(seconds)
        elapsed += seconds
        count += 1
        if Interruption.isRequested { break }
      }
      return elapsed / Double(count)
    }
    calls.sort()
    medianSeconds = calls[calls.count / 2]
  }
}
