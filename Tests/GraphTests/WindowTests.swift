import TesseraGraph
import Testing

@Suite struct WindowTests {
  /// Every combination of small sizes in one direction, beside a fixed one in the other.
  static let axes: [(input: Int, kernel: Int, stride: Int, dilation: Int)] = (1...9).flatMap { input in
    (1...5).flatMap { kernel in
      (1...4).flatMap { stride in (1...3).map { dilation in (input, kernel, stride, dilation) } }
    }
  }

  /// Positions of a window, by sliding it.
  private func positions(_ padded: Int, _ kernel: Int, _ stride: Int, _ dilation: Int) -> Int {
    var count = 0
    var start = 0
    while (0..<kernel).allSatisfy({ 0..<padded ~= start + $0 * dilation }) {
      count += 1
      start += stride
    }
    return count
  }

  /// Resolves and counts along rows, then along columns; both must agree with the sliding window.
  private func check(
    _ axis: (input: Int, kernel: Int, stride: Int, dilation: Int), _ padding: Padding2D,
    _ body: (_ before: Int, _ after: Int, _ outputs: Int) -> Void
  ) throws {
    let (input, kernel, stride, dilation) = axis
    for isRows in [true, false] {
      func size(_ size: Int) -> Size2D { isRows ? Size2D(y: size, x: 1) : Size2D(y: 1, x: size) }
      let window = Window2D(
        kernel: size(kernel), stride: size(stride), dilation: size(dilation), padding: padding)
      let (height, width) = isRows ? (input, 8) : (8, input)
      let resolved = try window.resolve(height: height, width: width)
      let (before, after) = isRows ? (resolved.top, resolved.bottom) : (resolved.left, resolved.right)
      let count = positions(input + before + after, kernel, stride, dilation)
      guard count > 0 else {
        expectError(.shapeMismatch, at: "here", expected: isRows ? "padded rows" : "padded columns") {
          _ = try resolved.outputSize(height: height, width: width, at: "here")
        }
        body(before, after, 0)
        continue
      }
      let output = try resolved.outputSize(height: height, width: width)
      let outputs = isRows ? output.y : output.x
      #expect(outputs == count, "\(resolved) over \(height) x \(width)")
      body(before, after, outputs)
    }
  }

  @Test func none() throws {
    for axis in Self.axes {
      try check(axis, .none) { before, after, _ in #expect(before == 0 && after == 0) }
    }
  }

  /// Half the dilated window on each side: the size stays for odd windows at stride 1, and grows by one for even ones.
  @Test func half() throws {
    for axis in Self.axes {
      let extent = (axis.kernel - 1) * axis.dilation + 1
      try check(axis, .half) { before, after, outputs in
        #expect(before == extent / 2 && after == extent / 2)
        if axis.stride == 1 { #expect(outputs == axis.input + (extent % 2 == 0 ? 1 : 0)) }
      }
    }
  }

  /// Every position that sees an element.
  @Test func full() throws {
    for axis in Self.axes {
      let extent = (axis.kernel - 1) * axis.dilation + 1
      try check(axis, .full) { before, after, outputs in
        #expect(before == extent - 1 && after == extent - 1)
        if axis.stride == 1 { #expect(outputs == axis.input + extent - 1) }
      }
    }
  }

  /// ceil(x / stride) outputs by as little padding as gives them, the odd element behind.
  @Test func same() throws {
    for axis in Self.axes {
      let extent = (axis.kernel - 1) * axis.dilation + 1
      try check(axis, .same) { before, after, outputs in
        #expect(outputs == (axis.input + axis.stride - 1) / axis.stride)
        #expect(before + after == max(0, (outputs - 1) * axis.stride + extent - axis.input))
        #expect(after - before == (before + after) % 2)
      }
    }
  }

  @Test(arguments: [0, 1, 2, 7, 13])
  func explicit(_ padding: Int) throws {
    for axis in Self.axes {
      try check(axis, .explicit(padding)) { before, after, _ in
        #expect(before == padding && after == padding)
      }
    }
  }

  @Test func explicitSidesAreKeptApart() throws {
    let window = Window2D(kernel: 3, padding: .explicit(top: 1, left: 2, bottom: 3, right: 4))
    let resolved = try window.resolve(height: 5, width: 6)
    #expect((resolved.top, resolved.left, resolved.bottom, resolved.right) == (1, 2, 3, 4))
    #expect(try resolved.outputSize(height: 5, width: 6) == Size2D(y: 7, x: 10))
    #expect(resolved.description == "kernel (3, 3) stride (1, 1) dilation (1, 1) padding (1, 2, 3, 4)")
  }

  /// Rows and columns have kernels, strides and dilations of their own.
  @Test func directionsAreIndependent() throws {
    let window = Window2D(
      kernel: Size2D(y: 4, x: 3), stride: Size2D(y: 3, x: 2), dilation: Size2D(y: 1, x: 2), padding: .same)
    let resolved = try window.resolve(height: 10, width: 7)
    // Rows: 4 outputs reach over 13, 3 more than 10. Columns: 4 outputs reach over 11, 4 more than 7.
    #expect((resolved.top, resolved.bottom, resolved.left, resolved.right) == (1, 2, 2, 2))
    #expect(try resolved.outputSize(height: 10, width: 7) == Size2D(y: 4, x: 4))
  }

  @Test func aWindowLargerThanTheImage() throws {
    let window = try Window2D(kernel: 3, dilation: 2, padding: .explicit(1)).resolve(height: 2, width: 9)
    expectError(.shapeMismatch, at: "here", expected: "at least 5 padded rows", found: "4") {
      _ = try window.outputSize(height: 2, width: 9, at: "here")
    }
    expectError(.shapeMismatch, at: "here", expected: "at least 5 padded columns", found: "4") {
      _ = try window.outputSize(height: 9, width: 2, at: "here")
    }
  }

  /// An empty image has no window of its own, and may be all padding.
  @Test func emptyImages() throws {
    #expect(
      try Window2D(kernel: 2, padding: .explicit(1)).resolve(height: 0, width: 0).outputSize(height: 0, width: 0) == 1)
    let same = try Window2D(kernel: 3, padding: .same).resolve(height: 0, width: 4)
    #expect((same.top, same.bottom) == (0, 0))
    expectError(.shapeMismatch, at: "window") { _ = try same.outputSize(height: 0, width: 4) }
  }

  @Test(arguments: [0, -1, Int.min])
  func sizesBelowOne(_ size: Int) {
    for (window, what) in [
      (Window2D(kernel: Size2D(y: size, x: 1)), "a kernel of 1"),
      (Window2D(kernel: Size2D(y: 1, x: size)), "a kernel of 1"),
      (Window2D(kernel: 1, stride: Size2D(y: size, x: 1)), "a stride of 1"),
      (Window2D(kernel: 1, stride: Size2D(y: 1, x: size)), "a stride of 1"),
      (Window2D(kernel: 1, dilation: Size2D(y: size, x: 1)), "a dilation of 1"),
      (Window2D(kernel: 1, dilation: Size2D(y: 1, x: size)), "a dilation of 1"),
    ] {
      for padding in [Padding2D.none, .half, .full, .same, .explicit(1)] {
        var window = window
        window.padding = padding
        expectError(.invalidAttribute, at: "here", expected: what, found: "\(size)") {
          _ = try window.resolve(height: 8, width: 8, at: "here")
        }
      }
    }
  }

  @Test(arguments: [-1, Int.min, Int.max])
  func paddingOutsideItsRange(_ size: Int) {
    for padding in [
      Padding2D.explicit(top: size, left: 0, bottom: 0, right: 0), .explicit(top: 0, left: size, bottom: 0, right: 0),
      .explicit(top: 0, left: 0, bottom: size, right: 0), .explicit(top: 0, left: 0, bottom: 0, right: size),
      .explicit(size),
    ] {
      expectError(.invalidAttribute, at: "here", expected: "padding of 0 to", found: "\(size)") {
        _ = try Window2D(kernel: 3, padding: padding).resolve(height: 8, width: 8, at: "here")
      }
    }
  }

  /// Sizes whose sums or products don't fit are errors, whatever the padding.
  @Test(arguments: [Padding2D.none, .half, .full, .same, .explicit(1), .explicit(Int.max / 4)])
  func hugeSizes(_ padding: Padding2D) throws {
    for window in [
      Window2D(kernel: Size2D(Int.max), padding: padding),
      Window2D(kernel: 3, stride: Size2D(Int.max), padding: padding),
      Window2D(kernel: 3, dilation: Size2D(Int.max), padding: padding),
      Window2D(kernel: Size2D(1 << 32), dilation: Size2D(1 << 32), padding: padding),
    ] {
      expectError(.invalidAttribute, at: "here") { _ = try window.resolve(height: 8, width: 8, at: "here") }
    }
    for size in [Int.max, Int.max / 2, -1] {
      let window = Window2D(kernel: 3, padding: padding)
      expectError(.invalidShape, at: "here", expected: "rows and columns", found: "\(size)") {
        _ = try window.resolve(height: size, width: 8, at: "here").outputSize(height: size, width: 8, at: "here")
      }
      expectError(.invalidShape, at: "here", expected: "rows and columns", found: "\(size)") {
        _ = try window.resolve(height: 8, width: size, at: "here").outputSize(height: 8, width: size, at: "here")
      }
    }
    // The largest of everything still has a size.
    let limit = Int.max / 4
    let window = Window2D(kernel: 1, stride: Size2D(limit), dilation: Size2D(Int.max), padding: padding)
    let output = try window.resolve(height: limit, width: limit).outputSize(height: limit, width: limit)
    #expect(output == (padding == .explicit(limit) ? 3 : padding == .explicit(1) ? 2 : 1))
  }
}
