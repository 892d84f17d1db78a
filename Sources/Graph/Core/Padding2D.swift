/// A pair of sizes, rows first. An integer stands for a square.
public struct Size2D: Hashable, Sendable, ExpressibleByIntegerLiteral, CustomStringConvertible {
  /// Rows.
  public var y: Int
  /// Columns.
  public var x: Int

  /// A size of so many rows and columns.
  public init(y: Int, x: Int) {
    self.y = y
    self.x = x
  }

  /// The same size in both directions.
  public init(_ both: Int) { self.init(y: both, x: both) }
  /// The same size in both directions, written as a number.
  public init(integerLiteral both: Int) { self.init(both) }

  public var description: String { "(\(y), \(x))" }
}

/// How an image is extended by zeros before a window slides over it. With k' = (k - 1) d + 1, the extent of a dilated
/// window: none 0; half floor(k' / 2) on each side, which keeps the size of odd k' at stride 1; full k' - 1; same as
/// much as gives ceil(x / stride) outputs, the odd element at bottom or right; or explicit, on each side, also larger
/// than k' - 1.
public struct Padding2D: Hashable, Sendable {
  package enum Rule: Hashable, Sendable {
    case none, half, full, same
    case explicit(top: Int, left: Int, bottom: Int, right: Int)
  }

  package let rule: Rule

  /// No zeros.
  public static let none = Padding2D(rule: .none)
  /// floor(k' / 2) zeros on each side.
  public static let half = Padding2D(rule: .half)
  /// k' - 1 zeros on each side.
  public static let full = Padding2D(rule: .full)
  /// As many zeros as give ceil(x / stride) outputs, the odd one at bottom or right.
  public static let same = Padding2D(rule: .same)

  /// So many zeros on each side, 0 or more.
  public static func explicit(top: Int, left: Int, bottom: Int, right: Int) -> Padding2D {
    Padding2D(rule: .explicit(top: top, left: left, bottom: bottom, right: right))
  }

  /// The same number of zeros on every side.
  public static func explicit(_ all: Int) -> Padding2D {
    explicit(top: all, left: all, bottom: all, right: all)
  }
}
