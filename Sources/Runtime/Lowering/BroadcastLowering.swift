public import TesseraGraph
import TesseraKernels

extension PairFunction {
  init(_ function: BinaryFunction) {
    switch function.kind {
    case .add: self = .add
    case .subtract: self = .subtract
    case .multiply: self = .multiply
    case .divide: self = .divide
    case .power: self = .power
    case .maximum: self = .maximum
    case .minimum: self = .minimum
    case .equal: self = .equal
    case .slopeBelowZero: self = .slopeBelowZero
    case .leak: self = .leak
    }
  }
}

/// The elements of a result as rows, along which each operand advances by 1 or stands still. Dimensions that both
/// operands walk alike are one.
private struct BroadcastRows: Sendable {
  /// Dimensions outside of the row, outermost first.
  private var sizes = InlineArray<8, Int>(repeating: 1)
  private var aStrides = InlineArray<8, Int>(repeating: 0)
  private var bStrides = InlineArray<8, Int>(repeating: 0)
  private var rank = 0
  private(set) var width = 1
  private(set) var aStep = 1
  private(set) var bStep = 1
  let count: Int

  init(_ a: Shape, _ b: Shape, _ y: Shape) {
    count = y.count
    let (a, b) = (a.aligned(to: y.rank), b.aligned(to: y.rank))
    var dimensions: [(size: Int, aStride: Int, bStride: Int)] = []
    var (aStride, bStride) = (1, 1)
    for axis in (0..<y.rank).reversed() where y[axis] != 1 {
      let dimension = (y[axis], a[axis] == 1 ? 0 : aStride, b[axis] == 1 ? 0 : bStride)
      aStride *= a[axis]
      bStride *= b[axis]
      if let inner = dimensions.last, dimension.1 == inner.aStride * inner.size,
        dimension.2 == inner.bStride * inner.size
      {
        dimensions[dimensions.count - 1].size *= dimension.0
      } else {
        dimensions.append(dimension)
      }
    }
    guard count > 0, let row = dimensions.first else { return }
    (width, aStep, bStep) = row
    for dimension in dimensions.dropFirst().reversed() {
      (sizes[rank], aStrides[rank], bStrides[rank]) = dimension
      rank += 1
    }
  }

  /// Parts of rows: elements of the result from `first` on, with the operands' places.
  @inline(__always)
  func forEachRow(in range: Range<Int>, _ body: (_ y: Int, _ a: Int, _ b: Int, _ count: Int) -> Void) {
    var first = range.lowerBound
    while first < range.upperBound {
      let column = first % width
      var row = first / width
      var (a, b) = (column * aStep, column * bStep)
      var axis = rank - 1
      while axis >= 0 {
        let coordinate = row % sizes[axis]
        row /= sizes[axis]
        a += coordinate * aStrides[axis]
        b += coordinate * bStrides[axis]
        axis -= 1
      }
      let part = min(width - column, range.upperBound - first)
      body(first, a, b, part)
      first += part
    }
  }
}

extension Elementwise: EpilogueKernel {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let rows = BroadcastRows(context.inputs[0].shape, context.inputs[1].shape, context.outputs[0].shape)
    let function = PairFunction(function)
    if let scalar = context.referenceType { return Self.reference(function, rows, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    return context.elementwise(name, count: rows.count) { range, arguments in
      let (a, b, y) = (arguments.x(0), arguments.x(1), arguments.y(0))
      rows.forEachRow(in: range) { first, aFirst, bFirst, count in
        kernels.pairs(
          function, count: count, a: a + aFirst, aStep: rows.aStep, b: b + bFirst, bStep: rows.bStep, y: y + first)
      }
    }
  }

  private static func reference<T: ReferenceScalar>(
    _ function: PairFunction, _ rows: BroadcastRows, _: T.Type
  ) -> NodeKernel {
    T.referenceKernel("pairs") { arguments in
      let (a, b, y) = (arguments.x(0, T.self), arguments.x(1, T.self), arguments.y(0, T.self))
      rows.forEachRow(in: 0..<rows.count) { first, aFirst, bFirst, count in
        for i in 0..<count {
          let (left, right) = (a[aFirst + i * rows.aStep], b[bFirst + i * rows.bStep])
          y[first + i] = T(Reference.value(function, Double(left), Double(right)))
        }
      }
    }
  }
}
