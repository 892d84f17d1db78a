import CTesseraShims
public import TesseraKernelContract

extension Kernels {
  public static func pairs(
    _ function: PairFunction, count: Int, a: UnsafePointer<Float>, aStep: Int, b: UnsafePointer<Float>, bStep: Int,
    y: UnsafeMutablePointer<Float>
  ) {
    guard count > 0 else { return }
    @inline(__always)
    func apply(_ function: (Vector, Vector) -> Vector) {
      if aStep == 0 {
        let a = Vector(repeating: a[0])
        forEachVector(count) { i, valid in store(function(a, load(b + i, valid: valid)), y + i, valid: valid) }
      } else if bStep == 0 {
        let b = Vector(repeating: b[0])
        forEachVector(count) { i, valid in store(function(load(a + i, valid: valid), b), y + i, valid: valid) }
      } else {
        map(count: count, a, b, to: y, streams: false, function)
      }
    }
    switch function {
    case .add: apply(pairSum)
    case .subtract: apply(pairDifference)
    case .multiply: apply(pairProduct)
    case .divide: apply(pairQuotient)
    case .power: apply(pairPower)
    case .maximum: apply(largerOrNaN)
    case .minimum: apply(smallerOrNaN)
    case .equal: apply(pairEqual)
    case .slopeBelowZero: apply(slopeBelowZero)
    case .leak: apply(leak)
    }
  }

  public static func addScaled(
    factor: Float, count: Int, x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>
  ) {
    let factor = Vector(repeating: factor)
    @inline(__always)
    func add(_ x: Vector, _ y: Vector) -> Vector { multiplyAdd(y, x, factor) }
    map(count: count, x, y, to: y, streams: false, add)
  }
}

@inline(__always)
private func pairSum(_ a: Vector, _ b: Vector) -> Vector { a + b }

@inline(__always)
private func pairDifference(_ a: Vector, _ b: Vector) -> Vector { a - b }

@inline(__always)
func pairProduct(_ a: Vector, _ b: Vector) -> Vector { a * b }

@inline(__always)
private func pairQuotient(_ a: Vector, _ b: Vector) -> Vector { a / b }

@inline(__always)
private func pairPower(_ a: Vector, _ b: Vector) -> Vector {
  var result = a
  for lane in 0..<lanes { result[lane] = tessera_power(a[lane], b[lane]) }
  return result
}

@inline(__always)
func largerOrNaN(_ a: Vector, _ b: Vector) -> Vector {
  larger(a, b).replacing(with: a, where: a .!= a)
}

@inline(__always)
func smallerOrNaN(_ a: Vector, _ b: Vector) -> Vector {
  b.replacing(with: a, where: a .< b).replacing(with: a, where: a .!= a)
}

@inline(__always)
private func pairEqual(_ a: Vector, _ b: Vector) -> Vector { Vector.zero.replacing(with: 1, where: a .== b) }

@inline(__always)
private func slopeBelowZero(_ a: Vector, _ b: Vector) -> Vector {
  Vector(repeating: 1).replacing(with: b, where: a .< 0)
}

@inline(__always)
private func leak(_ a: Vector, _ b: Vector) -> Vector { a.replacing(with: a * b, where: a .< 0) }
