import ArgumentParser

/// When a measurement is good enough.
struct RepetitionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Measure until the median window is so little slower than the best.", valueName: "percent"))
  var spread = Percentage(2)

  @Option(
    help: ArgumentHelp(
      "Seconds after which a measurement ends anyway (default: as the command says).", valueName: "seconds"))
  var timeLimit: Double?

  func validate() throws {
    guard spread.fraction > 0 else { throw ValidationError("--spread: expected above 0 %, found \(spread)") }
    if let timeLimit, !(timeLimit > 0 && timeLimit <= 86_400) {
      throw ValidationError("--time-limit: expected seconds above 0, at most a day, found \(timeLimit)")
    }
  }

  /// - Parameters:
  ///   - window: seconds of each window, of which there are five at least; less where the limit leaves less.
  ///   - limit: seconds, where the command line doesn't say.
  func repetition(window: Double, limit: Double) -> Repetition {
    Repetition(
      window: min(window, (timeLimit ?? .infinity) / 5), spread: spread.fraction, limit: timeLimit ?? limit)
  }
}

/// A number of hundredths, as in `5%` or `5`.
struct Percentage: ExpressibleByArgument, CustomStringConvertible {
  let fraction: Double

  init(_ percent: Double) { fraction = percent / 100 }

  init?(argument: String) {
    let digits = argument.hasSuffix("%") ? argument.dropLast() : argument[...]
    guard let percent = Double(digits), percent.isFinite, percent >= 0 else { return nil }
    self.init(percent)
  }

  var description: String { "\(Format.shortest(100 * fraction))%" }
  var defaultValueDescription: String { description }
}
