public import TesseraGraph
import TesseraKernels

extension MapFunction {
  init(_ function: ElementFunction) {
    switch function.kind {
    case .absolute: self = .absolute
    case .squareRoot: self = .squareRoot
    case .exponential: self = .exponential
    case .logarithm: self = .logarithm
    case .reciprocal: self = .reciprocal
    case .errorFunction: self = .errorFunction
    case .floor: self = .floor
    case .ceiling: self = .ceiling
    case .roundToEven: self = .roundToEven
    case .exponentialUnit(let scale, let alpha, let rate):
      self = .exponentialUnit(scale: scale, alpha: alpha, rate: rate)
    case .hardSigmoid(let slope, let offset): self = .hardSigmoid(slope: slope, offset: offset)
    case .hardSwish: self = .hardSwish
    case .swish(let rate): self = .swish(rate: rate)
    case .gelu: self = .gelu
    case .geluTanh: self = .geluTanh
    case .mish: self = .mish
    case .softplus: self = .softplus
    case .softsign: self = .softsign
    }
  }
}

extension MapElements: EpilogueKernel {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let count = context.outputs[0].shape.count
    let function = MapFunction(function)
    if let scalar = context.referenceType { return Self.reference(function, count, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    return context.elementwise("map.forward", count: count) { range, arguments in
      kernels.mapElements(
        function, count: range.count, x: arguments.x(0) + range.lowerBound, y: arguments.y(0) + range.lowerBound)
    }
  }

  private static func reference<T: ReferenceScalar>(_ function: MapFunction, _ count: Int, _: T.Type) -> NodeKernel {
    T.referenceKernel("map.forward") { arguments in
      let (x, y) = (arguments.x(0, T.self), arguments.y(0, T.self))
      for i in 0..<count { y[i] = T(Reference.value(function, Double(x[i]))) }
    }
  }
}

extension MapElementsGradient: EpilogueKernel {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    let count = context.outputs[0].shape.count
    let function = MapFunction(function)
    if let scalar = context.referenceType { return Self.reference(function, count, scalar) }
    guard context.inputs[0].element == .float32 else { throw context.unsupported(self) }
    let kernels = context.kernels
    return context.elementwise("map.backward", count: count) { range, arguments in
      let first = range.lowerBound
      kernels.mapElementsGradient(
        function, count: range.count, dy: arguments.x(0) + first, x: arguments.x(1) + first,
        dx: arguments.y(0) + first)
    }
  }

  private static func reference<T: ReferenceScalar>(_ function: MapFunction, _ count: Int, _: T.Type) -> NodeKernel {
    T.referenceKernel("map.backward") { arguments in
      let (dy, x, dx) = (arguments.x(0, T.self), arguments.x(1, T.self), arguments.y(0, T.self))
      for i in 0..<count { dx[i] = T(Double(dy[i]) * Reference.derivative(function, Double(x[i]))) }
    }
  }
}
