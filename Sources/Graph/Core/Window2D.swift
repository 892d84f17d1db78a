/// A sliding window before the image's size is known.
public struct Window2D: Hashable, Sendable {
  /// Elements of the window: rows and columns.
  public var kernel: Size2D
  /// Elements from one position to the next, 1 or more.
  public var stride: Size2D
  /// Elements from one tap to the next; 1 is dense.
  public var dilation: Size2D
  /// The rule by which zeros surround the image.
  public var padding: Padding2D

  /// Sizes are checked when the window meets an image.
  public init(
    kernel: Size2D, stride: Size2D = 1, dilation: Size2D = 1, padding: Padding2D = .none
  ) {
    self.kernel = kernel
    self.stride = stride
    self.dilation = dilation
    self.padding = padding
  }

  /// The window with its padding in elements.
  /// - Throws: ``TesseraError/Code/invalidAttribute`` for sizes below 1, negative padding, or sizes that overflow;
  ///   ``TesseraError/Code/invalidShape`` for such an image.
  public func resolve(height: Int, width: Int, at location: String = "window") throws(TesseraError)
    -> ResolvedWindow2D
  {
    let vertical = try Axis(
      input: height, kernel: kernel.y, stride: stride.y, dilation: dilation.y, location: location)
    let horizontal = try Axis(
      input: width, kernel: kernel.x, stride: stride.x, dilation: dilation.x, location: location)
    var pads = (top: 0, left: 0, bottom: 0, right: 0)
    switch padding.rule {
    case .none: break
    case .half:
      pads = (vertical.extent / 2, horizontal.extent / 2, vertical.extent / 2, horizontal.extent / 2)
    case .full:
      pads = (
        vertical.extent - 1, horizontal.extent - 1, vertical.extent - 1, horizontal.extent - 1
      )
    case .same:
      let (top, bottom) = vertical.samePadding
      let (left, right) = horizontal.samePadding
      pads = (top, left, bottom, right)
    case .explicit(let top, let left, let bottom, let right):
      pads = (top, left, bottom, right)
    }
    let resolved = ResolvedWindow2D(
      kernel: kernel, stride: stride, dilation: dilation, top: pads.top, left: pads.left,
      bottom: pads.bottom, right: pads.right)
    try resolved.validate(at: location)
    return resolved
  }
}

/// A sliding window with the zeros on each side counted.
public struct ResolvedWindow2D: Hashable, Sendable, CustomStringConvertible {
  /// Elements of the window: rows and columns.
  public let kernel: Size2D
  /// Elements from one position to the next, 1 or more.
  public let stride: Size2D
  /// Elements from one tap to the next; 1 is dense.
  public let dilation: Size2D
  /// Rows of zeros above the image.
  public let top: Int
  /// Columns of zeros before it.
  public let left: Int
  /// Rows of zeros below it.
  public let bottom: Int
  /// Columns of zeros behind it.
  public let right: Int

  /// Sizes are checked when the window meets an image.
  public init(
    kernel: Size2D, stride: Size2D = 1, dilation: Size2D = 1, top: Int = 0, left: Int = 0,
    bottom: Int = 0, right: Int = 0
  ) {
    (self.kernel, self.stride, self.dilation) = (kernel, stride, dilation)
    (self.top, self.left, self.bottom, self.right) = (top, left, bottom, right)
  }

  /// - Throws: ``TesseraError/Code/invalidAttribute`` for sizes below 1, negative padding, or sizes that overflow.
  public func validate(at location: String) throws(TesseraError) {
    _ = try Axis(
      input: 0, kernel: kernel.y, stride: stride.y, dilation: dilation.y, location: location)
    _ = try Axis(
      input: 0, kernel: kernel.x, stride: stride.x, dilation: dilation.x, location: location)
    try OperandCheck.attribute(
      min(top, left, bottom, right) >= 0 && max(top, left, bottom, right) <= Axis.limit,
      "padding of 0 to \(Axis.limit)",
      found: "(\(top), \(left), \(bottom), \(right))", at: location)
  }

  /// Positions of the window in each direction: floor((x + pads - (k - 1) d - 1) / stride) + 1.
  /// - Throws: ``TesseraError/Code/shapeMismatch`` if the window is larger than the padded input,
  ///   otherwise as ``Window2D/resolve(height:width:at:)``.
  public func outputSize(height: Int, width: Int, at location: String = "window")
    throws(TesseraError) -> Size2D
  {
    try validate(at: location)
    return Size2D(
      y: try Axis(
        input: height, kernel: kernel.y, stride: stride.y, dilation: dilation.y, location: location
      ).positions(before: top, after: bottom, direction: "rows"),
      x: try Axis(
        input: width, kernel: kernel.x, stride: stride.x, dilation: dilation.x, location: location
      ).positions(before: left, after: right, direction: "columns"))
  }

  /// Whether the window, padded by at most half of it, holds an element of the image at each of its positions. Padding
  /// beside a small image, and taps that a dilation spreads over it, can leave some without.
  func alwaysMeets(height: Int, width: Int) -> Bool {
    Axis.alwaysMeets(height, before: top, after: bottom, kernel: kernel.y, stride: stride.y, dilation: dilation.y)
      && Axis.alwaysMeets(width, before: left, after: right, kernel: kernel.x, stride: stride.x, dilation: dilation.x)
  }

  public var description: String {
    "kernel \(kernel) stride \(stride) dilation \(dilation) padding (\(top), \(left), \(bottom), \(right))"
  }
}

/// The arithmetic of one direction. No step of it can overflow.
private struct Axis {
  /// A quarter of Int leaves room for sums of an image, its padding and a window.
  static let limit = Int.max / 4

  let input: Int
  let stride: Int
  /// (k - 1) d + 1, the elements from the window's first to its last.
  let extent: Int
  let location: String

  init(input: Int, kernel: Int, stride: Int, dilation: Int, location: String) throws(TesseraError) {
    try OperandCheck.attribute(
      kernel >= 1, "a kernel of 1 or more", found: "\(kernel)", at: location)
    try OperandCheck.attribute(
      1...Self.limit ~= stride, "a stride of 1 to \(Self.limit)", found: "\(stride)", at: location)
    try OperandCheck.attribute(
      dilation >= 1, "a dilation of 1 or more", found: "\(dilation)", at: location)
    let (reach, overflow) = (kernel - 1).multipliedReportingOverflow(by: dilation)
    try OperandCheck.attribute(
      !overflow && reach < Self.limit, "a window of at most \(Self.limit) elements",
      found: "kernel \(kernel), dilation \(dilation)", at: location)
    guard 0...Self.limit ~= input else {
      throw TesseraError(
        .invalidShape, at: location, expected: "an image of 0 to \(Self.limit) rows and columns",
        found: "\(input)")
    }
    (self.input, self.stride, self.location) = (input, stride, location)
    extent = reach + 1
  }

  var samePadding: (before: Int, after: Int) {
    guard input > 0 else { return (0, 0) }
    let outputs = (input - 1) / stride + 1
    // (outputs - 1) stride is less than input.
    let total = max(0, (outputs - 1) * stride + extent - input)
    return (total / 2, total - total / 2)
  }

  func positions(before: Int, after: Int, direction: String) throws(TesseraError) -> Int {
    let padded = input + before + after
    guard padded >= extent else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "at least \(extent) padded \(direction), the window",
        found: "\(padded)")
    }
    return (padded - extent) / stride + 1
  }

  /// For padding of at most half the window, so that no position begins behind the image.
  static func alwaysMeets(
    _ input: Int, before: Int, after: Int, kernel: Int, stride: Int, dilation: Int
  ) -> Bool {
    guard input > 0 else { return false }
    let last = (input + before + after - (kernel - 1) * dilation - 1) / stride
    // A position left of the image meets it with its first tap at 0 or beyond, if there is one. Which element that is
    // repeats after `dilation` positions at the latest.
    for position in 0...min(last, before / stride, dilation) where position * stride < before {
      let distance = before - position * stride
      let tap = (distance - 1) / dilation + 1
      guard tap < kernel, tap * dilation - distance < input else { return false }
    }
    return true
  }
}
