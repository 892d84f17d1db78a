public import TesseraGraph

/// What ``Select`` reads, element by element of its result: rows along which the operand is read in order, and tables
/// or formulas for the dimensions outside of them.
private struct SelectionRows: Sendable {
  /// Places in the operand for each coordinate of one dimension; below 0: the filler.
  private struct Dimension: Sendable {
    let count: Int
    let first: Int
    let step: Int
    let table: [Int]?

    @inline(__always)
    func place(_ coordinate: Int) -> Int { table.map { $0[coordinate] } ?? first + coordinate * step }
  }

  private let dimensions: [Dimension]
  /// Elements of the result that lie together in the operand, too.
  let width: Int
  let count: Int

  init(_ axes: [AxisSelection], _ x: Shape) {
    var dimensions: [Dimension] = []
    var (stride, width, isWhole) = (1, 1, true)
    var count = 1
    for (axis, size) in zip(axes, x.dimensions).reversed() {
      count *= axis.count(of: size)
      switch axis.kind {
      case .all where isWhole: width *= size
      case .strided(let first, 1, let length) where isWhole:
        // A part of a dimension over whole ones: one run, which ends there.
        if first > 0 { dimensions.append(Dimension(count: 1, first: first * stride, step: 0, table: nil)) }
        width *= length
        isWhole = false
      case .all:
        dimensions.append(Dimension(count: size, first: 0, step: stride, table: nil))
        isWhole = false
      case .repeated(let length):
        dimensions.append(Dimension(count: length, first: 0, step: 0, table: nil))
        isWhole = false
      case .strided(let first, let step, let length):
        dimensions.append(
          Dimension(count: length, first: first * stride, step: length > 1 ? step * stride : 0, table: nil))
        isWhole = false
      case .indices(let indices):
        dimensions.append(
          Dimension(count: indices.count, first: 0, step: 0, table: indices.map { $0 < 0 ? -1 : $0 * stride }))
        isWhole = false
      }
      stride *= size
    }
    self.dimensions = dimensions
    self.width = width
    self.count = count
  }

  /// Calls `body` with the place of each row in the operand, or a negative number.
  @inline(__always)
  func forEachRow(in range: Range<Int>, _ body: (_ row: Int, _ place: Int) -> Void) {
    guard !range.isEmpty else { return }
    var coordinates = InlineArray<9, Int>(repeating: 0)
    var rest = range.lowerBound
    for axis in dimensions.indices {
      coordinates[axis] = rest % dimensions[axis].count
      rest /= dimensions[axis].count
    }
    for row in range {
      var place = 0
      for axis in dimensions.indices {
        let offset = dimensions[axis].place(coordinates[axis])
        if offset < 0 {
          place = -1
          break
        }
        place += offset
      }
      body(row, place)
      for axis in dimensions.indices {
        coordinates[axis] += 1
        if coordinates[axis] < dimensions[axis].count { break }
        coordinates[axis] = 0
      }
    }
  }
}

extension Select: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    switch context.inputs[0].element {
    case .float32: kernel(context, Float(filler))
    case .float64: kernel(context, filler)
    case .int32: kernel(context, Int32(exactly: filler) ?? 0)
    case .int64: kernel(context, Int64(exactly: filler) ?? 0)
    case .uint8, .bool: kernel(context, UInt8(exactly: filler) ?? 0)
    default: throw context.unsupported(self)
    }
  }

  private func kernel<Element: BitwiseCopyable & Sendable>(_ context: KernelContext, _ filler: Element) -> NodeKernel {
    let rows = SelectionRows(axes, context.inputs[0].shape)
    let width = rows.width
    let chunks = Chunks(
      rows.count == 0 ? 0 : rows.count / width, perTask: Chunks.elementsPerTask / max(1, width))
    return NodeKernel(name: "select.\(context.inputs[0].element)", taskCount: chunks.taskCount) { tasks, arguments in
      let (x, y) = (arguments.x(0, Element.self), arguments.y(0, Element.self))
      rows.forEachRow(in: chunks.elements(tasks)) { row, place in
        let target = y + row * width
        if place < 0 {
          target.update(repeating: filler, count: width)
        } else if width == 1 {
          target.pointee = x[place]
        } else {
          target.update(from: x + place, count: width)
        }
      }
    }
  }
}

extension SelectGradient: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    try kernel(context, context.floatType(context.inputs[0].element, of: self))
  }

  /// Element by element of dx: the sum over the product of the places where each of its coordinates was taken, in
  /// order.
  private func kernel<T: ReferenceScalar>(_ context: KernelContext, _: T.Type) -> NodeKernel {
    let dy = context.inputs[0].shape
    // Whole dimensions at the end are rows.
    let rank = axes.count - axes.reversed().prefix { $0 == .all }.count
    let width = shape.dimensions[rank...].reduce(1, *)
    var places: [[[Int]]] = []
    var stride = width
    for axis in (0..<rank).reversed() {
      var taken: [[Int]] = Array(repeating: [], count: shape[axis])
      for (i, coordinate) in axes[axis].coordinates(of: shape[axis]).enumerated() where coordinate >= 0 {
        taken[coordinate].append(i * stride)
      }
      places.append(taken)
      stride *= dy[axis]
    }
    let rows = Gathering(places: places, width: width)
    let chunks = Chunks(
      width == 0 ? 0 : shape.count / width, perTask: Chunks.elementsPerTask / max(1, width))
    return NodeKernel(name: "select_gradient.\(T.shortName)", taskCount: chunks.taskCount) { tasks, arguments in
      let (dy, dx) = (arguments.x(0, T.self), arguments.y(0, T.self))
      for row in chunks.elements(tasks) {
        let target = dx + row * width
        target.update(repeating: 0, count: width)
        rows.add(row, 0, dy, to: target)
      }
    }
  }
}

/// Where each row of dx was taken to.
private struct Gathering: Sendable {
  /// For each dimension, innermost first, and each of its coordinates the places in dy.
  let places: [[[Int]]]
  let width: Int

  func add<T: ReferenceScalar>(
    _ row: Int, _ axis: Int, _ dy: UnsafePointer<T>, to dx: UnsafeMutablePointer<T>
  ) {
    guard axis < places.count else {
      for i in 0..<width { dx[i] += dy[i] }
      return
    }
    let size = places[axis].count
    for place in places[axis][row % size] { add(row / size, axis + 1, dy + place, to: dx) }
  }
}
