import TesseraGraph

/// One direction of a window, with its padding in elements.
struct WindowAxis {
  let size: Int
  let kernel: Int
  let stride: Int
  let dilation: Int
  let before: Int
  /// As the model says; results beyond it come from rounding up.
  let after: Int
  let outputs: Int

  /// Elements from the window's first to its last.
  var extent: Int { (kernel - 1) * dilation + 1 }
  /// What the outputs see behind the image.
  var reachedAfter: Int { max(0, (outputs - 1) * stride + extent - size - before) }

  /// The elements under the window at an output, in the image.
  func places(_ output: Int) -> [Int] {
    (0..<kernel).map { output * stride - before + $0 * dilation }.filter { 0..<size ~= $0 }
  }

  /// Elements in the image and in the padding that the model asks for.
  func paddedCount(_ output: Int) -> Int {
    (0..<kernel).filter { -before..<size + after ~= output * stride - before + $0 * dilation }.count
  }
}

extension NodeReader {
  /// The window of a convolution or a pooling over spatial sizes.
  func window(_ sizes: [Int], kernel: [Int], ceils: Bool = false) throws(TesseraError) -> [WindowAxis] {
    let count = sizes.count
    let strides = try perAxis("strides", count: count, else: 1)
    let dilations = try perAxis("dilations", count: count, else: 1)
    let pads = try perAxis("pads", count: 2 * count, else: 0)
    let auto = try choice("auto_pad", else: "NOTSET", of: ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
    var axes: [WindowAxis] = []
    for axis in 0..<count {
      let (size, k, s, d) = (sizes[axis], kernel[axis], strides[axis], dilations[axis])
      try checkWindow(k, s, d, size)
      let extent = (k - 1) * d + 1
      var (before, after) = auto == "NOTSET" ? (pads[axis], pads[count + axis]) : (0, 0)
      if auto.hasPrefix("SAME") {
        let total = max(0, ((size + s - 1) / s - 1) * s + extent - size)
        before = auto == "SAME_UPPER" ? total / 2 : total - total / 2
        after = total - before
      }
      try require(
        0..<Self.limit ~= before && 0..<Self.limit ~= after, "attribute pads", "padding of 0 or more", found: "\(pads)")
      let room = size + before + after - extent
      try require(
        room >= 0, .shapeMismatch, "input 0", "at least \(extent) padded elements along spatial axis \(axis)",
        found: "\(size + before + after)")
      var outputs = room / s + 1
      if ceils {
        outputs = (room + s - 1) / s + 1
        // A window that begins behind the image and its padding isn't one.
        if (outputs - 1) * s >= size + before { outputs -= 1 }
      }
      axes.append(
        WindowAxis(size: size, kernel: k, stride: s, dilation: d, before: before, after: after, outputs: outputs))
    }
    return axes
  }

  /// Windows that no sum of sizes can overflow with.
  static let limit = 1 << 31

  func checkWindow(_ kernel: Int, _ stride: Int, _ dilation: Int, _ size: Int) throws(TesseraError) {
    for (name, number) in [("kernel_shape", kernel), ("strides", stride), ("dilations", dilation)] {
      try require(1..<Self.limit ~= number, "attribute \(name)", "1 to \(Self.limit)", found: "\(number)")
    }
    try require(
      (kernel - 1) * dilation < Self.limit && size < Self.limit, "window", "at most \(Self.limit) elements",
      found: "\((kernel - 1) * dilation) over \(size)")
  }

  /// The kernel that the model states, which must be that of the weights where there are some.
  func kernel(_ count: Int, weights: [Int]? = nil) throws(TesseraError) -> [Int] {
    if let kernel = try integers("kernel_shape") {
      try require(
        kernel.count == count && (weights == nil || kernel == weights), "attribute kernel_shape",
        "\(weights.map { "\($0)" } ?? "\(count) numbers")", found: "\(kernel)")
      return kernel
    }
    guard let weights else {
      throw error(.invalidFile, "attribute kernel_shape", expected: "\(count) numbers", found: "none")
    }
    return weights
  }

  func image(_ x: Imported) throws(TesseraError) {
    try require(
      3...5 ~= x.rank, x.rank > 5 ? .unsupported : .shapeMismatch, "input 0", "[N, C] and one to three spatial sizes",
      found: "\(Shape(x.shape))")
  }
}

/// Images of one dimension are images of one row.
func planar(_ axes: [WindowAxis]) -> [WindowAxis] {
  let row = WindowAxis(size: 1, kernel: 1, stride: 1, dilation: 1, before: 0, after: 0, outputs: 1)
  return Array(repeating: row, count: max(0, 2 - axes.count)) + axes
}

func resolved(_ axes: [WindowAxis]) -> ResolvedWindow2D {
  let (y, x) = (axes[0], axes[1])
  return ResolvedWindow2D(
    kernel: Size2D(y: y.kernel, x: x.kernel), stride: Size2D(y: y.stride, x: x.stride),
    dilation: Size2D(y: y.dilation, x: x.dilation), top: y.before, left: x.before, bottom: y.reachedAfter,
    right: x.reachedAfter)
}

extension Importer {
  /// - Throws: ``TesseraError/Code/unsupported`` for an axis that no table holds.
  func checkTable(_ count: Int, _ node: NodeReader) throws(TesseraError) {
    try node.require(
      count <= AxisSelection.longestTable, .unsupported, "output",
      "at most \(AxisSelection.longestTable) along an axis",
      found: "\(count)")
  }
}
